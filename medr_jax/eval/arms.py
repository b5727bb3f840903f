"""What a grid of experiments leaves on disk: one record an arm and seed, finished or not."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from medr_jax import jsonl
from medr_jax.eval.metrics import Result, Summary
from medr_jax.eval.statistics import Cell
from medr_jax.types import Record

ARMS, RETRIEVAL = "arms", "retrieval.json"
_EXAMPLES = 2  # of each class of wrong answers


class Example(Record):
    """A wrong answer to look at."""

    failure: str
    question: str
    gold: str
    given: str
    queries: tuple[str, ...]
    num_hops: int


class ArmRecord(Record):
    """An arm with one seed. ``reason`` says why it was not run; "" = it was."""

    arm: str
    label: str
    seed: int
    reason: str = ""
    run_id: str = ""  # keys of the evaluation and of the training artifact
    command: str = ""
    commit: str = ""
    machine: str = ""
    train_seconds: float = 0.0
    train_tokens: float = 0.0
    train_steps: int = 0
    summaries: dict[str, Summary] = {}
    marks: dict[str, bool] = {}  # the model's, by question
    curve: tuple[tuple[int, float], ...] = ()  # step, loss on what the model must produce
    examples: tuple[Example, ...] = ()


class RetrievalRecord(Record):
    """One ranking of the same documents, asked the scripted expert's queries."""

    label: str
    next_entity: Cell
    index_hash: str = ""
    commit: str = ""
    reason: str = ""


def examples(results: Sequence[Result]) -> tuple[Example, ...]:
    """The first wrong answers of each class, in the order of the questions' ids."""
    taken: dict[str, int] = {}
    found = []
    for result in sorted(results, key=lambda one: one.question.question_id):
        if not result.failure or taken.get(result.failure, 0) == _EXAMPLES:
            continue
        taken[result.failure] = taken.get(result.failure, 0) + 1
        answer = result.trajectory.answer
        calls = [call for turn in result.trajectory.turns for call in turn.calls]
        found.append(
            Example(
                failure=result.failure,
                question=result.question.text,
                gold=result.question.answer,
                given=answer.text if answer else "",
                queries=tuple(" ".join(map(str, call.arguments.values())) for call in calls),
                num_hops=result.question.num_hops,
            )
        )
    return tuple(found)


def save(out: Path, record: ArmRecord) -> None:
    """Writes one arm's record, in place of an earlier one."""
    folder = out / ARMS
    folder.mkdir(parents=True, exist_ok=True)
    jsonl.write(folder / f"{record.arm}-seed{record.seed}.json", [record])


def load(out: Path) -> list[ArmRecord]:
    """All records under ``out``; one that cannot be read counts as not run, with the reason."""
    found = []
    for path in sorted((out / ARMS).glob("*-seed*.json")):
        try:
            found += list(jsonl.read(path, ArmRecord))
        except ValueError as problem:
            arm, _, seed = path.stem.rpartition("-seed")
            number = int(seed) if seed.isdigit() else 0
            reason = f"unreadable record: {problem}"
            found.append(ArmRecord(arm=arm, label=arm, seed=number, reason=reason))
    return found


def load_retrieval(out: Path) -> list[RetrievalRecord]:
    """The rankings compared, none when that was not run."""
    path = out / RETRIEVAL
    return list(jsonl.read(path, RetrievalRecord)) if path.is_file() else []


def load_study(path: Path | None) -> dict:
    """The RL study's file (``rl_study``), {} when there is none.

    Raises:
        ValueError: it is no such file.
    """
    if path is None or not path.is_file():
        return {}
    try:
        study = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as problem:
        raise ValueError(f"{path}: not JSON: {problem}; give study.json of rl_study") from None
    if not isinstance(study, dict) or not {"arms", "differences"} <= study.keys():
        raise ValueError(f"{path}: has no arms and differences; give study.json of rl_study")
    return study
