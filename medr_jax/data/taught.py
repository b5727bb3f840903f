"""A teacher's trajectories as a dataset like the expert's."""

from collections import Counter
from pathlib import Path

from medr_jax import jsonl
from medr_jax.artifacts import Outcome
from medr_jax.data import card as cards
from medr_jax.data import tfds_builder
from medr_jax.questions.config import SPLITS
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories import shared
from medr_jax.trajectories.teacher import Taught, TeacherConfig
from medr_jax.trajectories.workshop import TRAIN, Workshop
from medr_jax.types import Trajectory

KEPT_FACTS = ("snapshot", "licences", "graph_hash", "index_hash", "question_seed")
"""What is as true of the teacher's dataset as of the one that its questions come from."""


def publish(
    workshop: Workshop,
    taught: Taught,
    source: Path,
    out: Path,
    config: TeacherConfig,
    teacher: str,
) -> Outcome:
    """Writes ``dataset/`` (TFDS), ``card.md``, ``card.json`` and ``heldout_named.json``.

    The teacher's trajectories take the place of their split; the other splits are those of the
    dataset ``source``, so that whoever trains on it is measured as before. ``teacher`` names
    model and endpoint for the card.
    """
    rows = {
        split: taught.trajectories
        if split == config.split
        else list(tfds_builder.read_trajectories(source, split))
        for split in SPLITS
    }
    content_hash = jsonl.content_hash(row for split in SPLITS for row in rows[split])
    named = sorted({entity_id for row in rows[TRAIN] for entity_id in workshop.named(row)})
    metadata = tfds_builder.read_metadata(source)
    facts = {name: metadata[name] for name in KEPT_FACTS} | {
        "content_hash": content_hash,
        "teacher": teacher,
        "teacher_split": config.split,
        "teacher_tokens": taught.usage.tokens,
        "questions_given_up": taught.given_up,
    }
    card = cards.make_card(
        rows,
        rejections={config.split: taught.rejections + _prefixed(taught.notes)},
        drafts_rejected={},
        shared=_shared(workshop, rows, named),
        facts=facts,
        num_words=filters.num_words,
    )
    jsonl.write(out / "card.json", [card])
    jsonl.write(out / "heldout_named.json", [named])
    (out / "card.md").write_text(cards.render_card(card), encoding="utf-8")
    counts = {split: len(rows[split]) for split in SPLITS}
    tfds_builder.write_dataset(
        out / "dataset",
        rows,
        facts | {"counts": counts, "tool_schemas": metadata["tool_schemas"]},
        num_shards=workshop.setup.synthesis.num_shards,
    )
    headline = {"rejected": taught.rejections.total(), "tokens": taught.usage.tokens}
    return Outcome(content_hash=content_hash, counts=counts | headline)


def _prefixed(notes: Counter[str]) -> Counter[str]:
    """Notes are no rejections; the card's table says so."""
    return Counter({f"kept, {note}": count for note, count in notes.items()})


def _shared(
    workshop: Workshop, rows: dict[str, list[Trajectory]], named: list[str]
) -> dict[str, int]:
    return shared.count(
        rows,
        held_out=workshop.held_out,
        named=named,
        kind_of=lambda entity_id: workshop.graph.entity(entity_id).kind,
    )
