"""Questions and the expert's trajectories over the live index, as a TFDS dataset.

Work is cut into jobs whose results are files under ``<out>/work``: whoever starts again after
an interruption goes on from there, and the content comes out the same.
"""

import dataclasses
import hashlib
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from medr_jax import console, jsonl
from medr_jax.artifacts import Outcome
from medr_jax.data import card as cards
from medr_jax.data import tfds_builder
from medr_jax.data.drafts import Drafts, parts_of, run_jobs
from medr_jax.diagnosis.diagnose import DiagnosisSource
from medr_jax.graph.specialties import not_covered
from medr_jax.questions.config import SPLITS, QuestionConfig
from medr_jax.questions.forms.make import take
from medr_jax.questions.generate import assemble
from medr_jax.tools.config import ToolsConfig
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories import shared
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.crew import Crew
from medr_jax.trajectories.difficulty import Difficulty
from medr_jax.trajectories.workshop import (
    Attempt,
    Attempted,
    AttemptJob,
    Setup,
    Workshop,
)
from medr_jax.types import Question, Record, Trajectory

__all__ = ["SynthesisConfig", "synthesize"]


class Rejection(Record):
    """A question without a trajectory; a line of rejections.jsonl."""

    question_id: str
    split: str
    reason: str


def synthesize(
    *,
    graph_path: Path,
    index_path: Path,
    question_config: QuestionConfig,
    tools_config: ToolsConfig,
    config: SynthesisConfig,
    out: Path,
    diagnosis: DiagnosisSource | None = None,
) -> Outcome:
    """Writes dataset, questions, rejections and card into ``out``.

    ``dataset/`` (TFDS), ``questions-<split>.jsonl`` (those with a trajectory),
    ``rejections.jsonl``, ``heldout_named.json`` (ids of held-out diseases and genes that some
    training text names), ``card.md``, ``card.json``. ``diagnosis`` is for the tool of that name.

    Raises:
        ValueError: no trajectory survives, or a worker process died.
    """
    setup = Setup(
        graph_path=str(graph_path),
        index_path=str(index_path),
        questions=question_config,
        tools=tools_config,
        synthesis=config,
        diagnosis=diagnosis,
    )
    workshop = setup.open()
    work = Path(out) / "work" / _fingerprint(workshop)
    work.mkdir(parents=True, exist_ok=True)
    with Crew(setup.open, config.num_workers, here=workshop) as crew:
        questions, drafts_rejected = _questions(workshop, crew, work)
        attempts = _attempts(crew, work, questions, config.questions_per_job)
    outcome = _publish(workshop, Path(out), attempts, drafts_rejected)
    shutil.rmtree(Path(out) / "work")
    return outcome


def _questions(
    workshop: Workshop, crew: Crew, work: Path
) -> tuple[dict[str, list[Question]], dict[str, Counter[str]]]:
    """The chosen questions of each split, and why drafts were rejected."""
    chosen, rejected = {}, {}
    with console.bar("questions") as advance:
        for split in SPLITS:
            drafts = Drafts(workshop, crew, work, split, advance)
            config = workshop.setup.questions
            found = assemble(drafts.seeds, drafts.make, config.for_chains(), split)
            rejected[split] = drafts.rejections
            for form, number in config.form_sizes(split).items():
                drafts = Drafts(workshop, crew, work, split, advance, form)
                found += take(drafts.seeds, drafts.make, number)
                rejected[split] += drafts.rejections
            chosen[split] = found
    return chosen, rejected


def _attempts(
    crew: Crew, work: Path, questions: dict[str, list[Question]], size: int
) -> dict[str, list[Attempt]]:
    """The expert's attempts at each split's questions, in order of question id."""
    jobs = []
    for split in SPLITS:
        # Questions of one seed meet the same documents, which the engine then has at hand.
        ordered = sorted(questions[split], key=lambda one: (one.chain.seed_id, one.question_id))
        for number, part in enumerate(parts_of(ordered, size)):
            path = work / f"attempts-{split}-{number:05d}.json"
            jobs.append(AttemptJob(path=str(path), split=split, questions=part))
    with console.bar("trajectories", sum(map(len, questions.values()))) as advance:
        results = run_jobs(crew, jobs, Attempted, advance)
    attempts: dict[str, list[Attempt]] = {split: [] for split in SPLITS}
    for job in jobs:
        attempts[job.split] += results[job.path].attempts
    for found in attempts.values():
        found.sort(key=lambda attempt: attempt.question_id)
    return attempts


def _publish(
    workshop: Workshop,
    out: Path,
    attempts: dict[str, list[Attempt]],
    drafts_rejected: dict[str, Counter[str]],
) -> Outcome:
    """Drops near-duplicates and what is too easy, and writes everything."""
    kept, rejections = _chosen(attempts, workshop.setup.synthesis)
    rows = {split: [attempt.trajectory for attempt in kept[split]] for split in SPLITS}
    content_hash = jsonl.content_hash(row for split in SPLITS for row in rows[split])
    counts = {split: len(rows[split]) for split in SPLITS}
    counts |= _headline(rows, rejections)
    reasons = {
        split: Counter(one.reason for one in rejections if one.split == split) for split in SPLITS
    }
    named = sorted({entity_id for attempt in kept["train"] for entity_id in attempt.named})
    facts = _facts(workshop, content_hash)
    card = cards.make_card(
        rows,
        rejections=reasons,
        drafts_rejected=drafts_rejected,
        shared=shared.count(
            rows,
            held_out=workshop.held_out,
            named=named,
            kind_of=lambda entity_id: workshop.graph.entity(entity_id).kind,
        ),
        facts=facts,
        num_words=filters.num_words,
    )
    for split in SPLITS:
        jsonl.write(out / f"questions-{split}.jsonl", (row.question for row in rows[split]))
    jsonl.write(out / "rejections.jsonl", rejections)
    jsonl.write(out / "heldout_named.json", [named])
    jsonl.write(out / "card.json", [card])
    (out / "card.md").write_text(cards.render_card(card), encoding="utf-8")
    tfds_builder.write_dataset(
        out / "dataset",
        rows,
        facts | {"counts": counts, "tool_schemas": workshop.tool_schemas},
        num_shards=workshop.setup.synthesis.num_shards,
    )
    return Outcome(content_hash=content_hash, counts=counts)


def _chosen(
    attempts: dict[str, list[Attempt]], config: SynthesisConfig
) -> tuple[dict[str, list[Attempt]], list[Rejection]]:
    seen = filters.NearDuplicates(config.duplicate_overlap)
    measured = Difficulty(config.difficulty)
    kept: dict[str, list[Attempt]] = {split: [] for split in attempts}
    rejections = []
    for split, rows in attempts.items():
        for attempt in rows:
            reason = attempt.reason
            if attempt.trajectory is not None:
                question = attempt.trajectory.question
                if seen.add(question):
                    reason = str(filters.Reason.NEAR_DUPLICATE)
                elif measured.is_too_easy(question):
                    reason = str(filters.Reason.TOO_EASY)
            if reason:
                rejections.append(
                    Rejection(question_id=attempt.question_id, split=split, reason=reason)
                )
            else:
                kept[split].append(attempt)
    return kept, rejections


def _headline(rows: dict[str, list[Trajectory]], rejections: list[Rejection]) -> dict[str, Any]:
    """What the console shows beside the sizes of the splits."""
    every = [row for split in rows.values() for row in split]
    calls = sum(row.num_tool_calls for row in every)
    specialties = {name for row in every for name in row.question.specialties}
    return {
        "tool_calls": round(calls / max(1, len(every)), 3),
        "specialties": len(specialties),
        "rejected": len(rejections),
    }


def _facts(workshop: Workshop, content_hash: str) -> dict[str, Any]:
    return {
        "snapshot": workshop.graph.snapshot,
        "licences": list(workshop.graph.licences),
        "not_covered": list(not_covered(workshop.graph)),
        "graph_hash": workshop.graph.content_hash,
        "index_hash": workshop.engine.content_hash,
        "content_hash": content_hash,
        **Difficulty(workshop.setup.synthesis.difficulty).facts,
        "question_seed": workshop.setup.questions.seed,
        "expert_seed": workshop.setup.synthesis.seed,
    }


def _fingerprint(workshop: Workshop) -> str:
    """Tells unfinished work of other settings apart; how many processes work does not matter."""
    setup = workshop.setup
    synthesis = dataclasses.replace(setup.synthesis, num_workers=1)
    settings = [dataclasses.asdict(part) for part in (setup.questions, setup.tools, synthesis)]
    if setup.diagnosis is not None:
        settings.append(dataclasses.asdict(setup.diagnosis.config))
    identity = [settings, workshop.graph.content_hash, workshop.engine.content_hash]
    return hashlib.sha256(jsonl.encode(identity)).hexdigest()[:16]
