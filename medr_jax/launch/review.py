"""Draws the questions that a person reads."""

from pathlib import Path
from types import SimpleNamespace

from medr_jax import jsonl
from medr_jax.eval import review
from medr_jax.launch import stages
from medr_jax.questions.config import SPLITS
from medr_jax.types import Question

SHEETS, MARKDOWN = "sample.jsonl", "sample.md"


def review_sample(config: SimpleNamespace) -> Path:
    """Writes ``config.number`` questions of all splits into the run's folder, for a reader."""
    if config.number < 1:
        raise ValueError(f"number={config.number}: must be at least 1")
    graph_artifact = stages.graph(config)
    dataset = stages.synthesize(config, graph_artifact)
    graph = stages.load_graph(graph_artifact)
    questions = [
        question
        for split in SPLITS
        for question in jsonl.read(dataset.path / f"questions-{split}.jsonl", Question)
    ]
    drawn = review.draw(questions, config.number, config.seed)
    sheets = [review.sheet(graph, question, config.seed) for question in drawn]
    folder = Path(config.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    jsonl.write(folder / SHEETS, sheets)
    (folder / MARKDOWN).write_text(review.as_markdown(sheets), encoding="utf-8")
    return folder / MARKDOWN
