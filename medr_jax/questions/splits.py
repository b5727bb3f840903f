"""Which split a disease or gene belongs to: whole families, never single entities."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from medr_jax.graph.families import disease_families
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.config import SPLITS, QuestionConfig
from medr_jax.types import Kind


@dataclass(frozen=True, slots=True)
class Splits:
    """The split of every disease and gene."""

    by_entity: dict[str, str]
    seed: int
    dev_fraction: float
    test_fraction: float

    def split_of(self, entity_id: str) -> str:
        """ "train", "dev", "test", or "" for what all splits share (phenotypes, modes, onsets)."""
        return self.by_entity.get(entity_id, "")

    def split_of_seed(self, entity_id: str, diseases: Sequence[str] = ()) -> str:
        """The split whose questions may begin at the entity.

        A phenotype is shared, but as a seed it belongs to one split: that of its only disease,
        where ``diseases`` is one, else one drawn by its id.
        """
        found = self.split_of(diseases[0] if len(diseases) == 1 else entity_id)
        if found:
            return found
        drawn = random.Random(f"seed split:{self.seed}:{entity_id}").random()
        if drawn < self.test_fraction:
            return "test"
        return "dev" if drawn < self.test_fraction + self.dev_fraction else "train"

    def shares(self, entity_id: str, split: str) -> bool:
        """Whether a question of ``split`` may use the entity."""
        return self.by_entity.get(entity_id, split) == split

    def counts(self, graph: KnowledgeGraph) -> dict[str, int]:
        """Diseases and genes per split, as "train_disease" and so on."""
        counts: dict[str, int] = {}
        for kind in (Kind.DISEASE, Kind.GENE):
            for split in SPLITS:
                entities = graph.entity_ids(kind)
                counts[f"{split}_{kind}"] = sum(self.split_of(one) == split for one in entities)
        return counts


def assign_splits(graph: KnowledgeGraph, config: QuestionConfig) -> Splits:
    """Seeded assignment of whole disease families to train, dev and test.

    Families come in a seeded order and fill test, then dev, while they fit into what is left of
    the split's share of the diseases; the rest, and what belongs to no family (shared by too
    many diseases), is train.
    """
    families = disease_families(graph)
    members: dict[str, list[str]] = {}
    for entity_id in sorted(families):
        members.setdefault(families[entity_id], []).append(entity_id)
    order = sorted(members.keys() - {""})
    random.Random(f"splits:{config.seed}").shuffle(order)
    diseases = frozenset(graph.entity_ids(Kind.DISEASE))
    room = {
        "test": round(config.test_fraction * len(diseases)),
        "dev": round(config.dev_fraction * len(diseases)),
    }
    by_entity = dict.fromkeys(members.get("", ()), "train")
    for family in order:
        size = sum(member in diseases for member in members[family])
        split = next((name for name, left in room.items() if size <= left), "train")
        if split in room:
            room[split] -= size
        by_entity.update(dict.fromkeys(members[family], split))
    return Splits(by_entity, config.seed, config.dev_fraction, config.test_fraction)
