"""The ladder of difficulty over a dataset's questions, as a stage of its own."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.eval import difficulty, formats
from medr_jax.eval.evaluate import RESULTS
from medr_jax.eval.metrics import Result
from medr_jax.launch import stages
from medr_jax.questions.config import SPLITS
from medr_jax.tools.runtime import Sources, standard_tools
from medr_jax.trajectories.difficulty import FILE, Measured
from medr_jax.types import Question

MARKDOWN = "difficulty.md"


def measure_difficulty(config: SimpleNamespace) -> Artifact:
    """Measures every question of ``config.splits`` (empty = all) by ``config.solvers``.

    ``config.rollouts`` adds solvers that were evaluated elsewhere, a trained model or an endpoint:
    name -> the folder of its results.

    Raises:
        ValueError: an unknown split or solver, or a folder without results.
    """
    if unknown := sorted(set(config.splits) - set(SPLITS)):
        raise ValueError(f"splits={unknown}: choose from {', '.join(SPLITS)}")
    graph = stages.graph(config)
    index = stages.index(config, graph)
    dataset = stages.synthesize(config, graph, index)
    others = {name: _results(name, folder) for name, folder in config.rollouts.items()}

    def build(path: Path) -> Outcome:
        engine, knowledge_graph = stages.load_engine(index), stages.load_graph(graph)
        sources = Sources(engine=engine, graph=lambda: knowledge_graph)
        by_split = {split: _questions(dataset, split) for split in SPLITS}
        with standard_tools(sources, config.tools) as tools:
            measured = difficulty.measure(
                [one for split in config.splits or SPLITS for one in by_split[split]],
                config.solvers,
                tools,
                training=by_split["train"],
                others={name: difficulty.rates(results) for name, results in others.items()},
            )
        jsonl.write(path / FILE, measured)
        text = "\n".join(map(formats.to_markdown, difficulty.tables(measured)))
        (path / MARKDOWN).write_text(text, encoding="utf-8")
        return Outcome(content_hash=jsonl.content_hash(measured), counts=_counts(measured))

    return stages.run_stage(
        config,
        "difficulty",
        settings={
            "splits": list(config.splits),
            "solvers": list(config.solvers),
            "tools": dataclasses.asdict(config.tools),
        },
        inputs={
            "synthesis": dataset.content_hash,
            "index": index.content_hash,
            **{name: jsonl.content_hash(results) for name, results in others.items()},
        },
        version=artifacts.code_version(
            "medr_jax.eval", "medr_jax.grading", "medr_jax.agent", "medr_jax.tools"
        ),
        build=build,
        shown=("questions",),
    )


def _questions(dataset: Artifact, split: str) -> list[Question]:
    return list(jsonl.read(dataset.path / f"questions-{split}.jsonl", Question))


def _results(name: str, folder: str) -> list[Result]:
    path = Path(folder) / RESULTS
    if not path.is_file():
        raise ValueError(
            f"rollouts.{name}={folder}: no {RESULTS} here; give an agent's folder of an evaluation"
        )
    return list(jsonl.read(path, Result))


def _counts(measured: Sequence[Measured]) -> dict[str, object]:
    solved: dict[str, list[float]] = {}
    for one in measured:
        for name, rate in one.solved.items():
            solved.setdefault(name, []).append(rate)
    shares = {name: round(sum(found) / len(found), 4) for name, found in solved.items()}
    return {"questions": len(measured), **shares}
