"""Questions of one split: seeds in order, verified questions of each, then the mixture."""

import collections
import math
import random
from collections.abc import Iterable, Iterator, Sequence

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.rarity import seed_diseases
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.select import select
from medr_jax.questions.splits import Splits, assign_splits
from medr_jax.types import Kind, Question, Relation

__all__ = ["QuestionConfig", "candidate_questions", "generate_questions", "seed_entities"]


def generate_questions(
    graph: KnowledgeGraph,
    config: QuestionConfig,
    split: str,
    splits: Splits | None = None,
    *,
    rejections: collections.Counter[str] | None = None,
) -> Iterator[Question]:
    """Verified questions of ``split`` in order of question id, ``config.size(split)`` at most.

    ``rejections`` receives why drafts were rejected. Equal inputs give equal questions; a
    different ``config.seed`` gives other clues, wording and splits.
    """
    splits = splits or assign_splits(graph, config)
    seeds = seed_entities(graph, config, split, splits)
    found = candidate_questions(graph, config, split, splits, seeds, rejections=rejections)
    rank = {seed: position for position, seed in enumerate(seeds)}
    yield from select(found, config.size(split), config, rank)


def candidate_questions(
    graph: KnowledgeGraph,
    config: QuestionConfig,
    split: str,
    splits: Splits,
    seeds: Iterable[str],
    *,
    rejections: collections.Counter[str] | None = None,
) -> Iterator[Question]:
    """All verified questions of the given seeds, before the mixture is chosen.

    Any partition of the seeds into shards gives the same questions together.
    """
    maker = QuestionMaker(graph, config, splits)
    for seed in seeds:
        yield from maker.from_seed(seed, split)
    if rejections is not None:
        rejections.update(maker.rejections)


def seed_entities(
    graph: KnowledgeGraph, config: QuestionConfig, split: str, splits: Splits
) -> list[str]:
    """Seed entities of a split, the preferred ones first, each part in a seeded order.

    Diseases, genes with one disease, and defined phenotypes; the latter two rank as their
    diseases do. Susceptibility, somatic and similar entries are in no part. A phenotype without
    an only disease leads to its parent at most, so there are no more of these than the split
    can have questions that begin with a definition.
    """
    sparse, others = map(frozenset, seed_diseases(graph))
    found = _starts(graph, config, sparse | others)
    seeds = [
        seed for seed, diseases in found.items() if splits.split_of_seed(seed, diseases) == split
    ]
    random.Random(f"seeds:{config.seed}").shuffle(seeds)
    share = config.start_weights.get("definition", 0) / sum(config.start_weights.values())
    room = math.ceil(share * config.size(split))
    kept = []
    for seed in seeds:
        if len(found[seed]) != 1:
            room -= 1
        if len(found[seed]) == 1 or room >= 0:
            kept.append(seed)
    if config.seeds == "any":
        return kept

    def is_sparse(seed: str) -> bool:
        return bool(found[seed]) and sparse.issuperset(found[seed])

    return sorted(kept, key=lambda seed: is_sparse(seed) is not (config.seeds == "sparse"))


def _starts(
    graph: KnowledgeGraph, config: QuestionConfig, wanted: frozenset[str]
) -> dict[str, Sequence[str]]:
    """Entities at which a question may begin, with the diseases that they stand for."""
    found: dict[str, Sequence[str]] = {}
    if config.start_weights.get("clues", 0) > 0:
        found.update((disease, (disease,)) for disease in sorted(wanted))
    if config.start_weights.get("gene", 0) > 0:
        for gene in graph.entity_ids(Kind.GENE):
            diseases = graph.sources(gene, Relation.ASSOCIATED_GENE)
            if len(diseases) == 1 and diseases[0] in wanted:
                found[gene] = diseases
    if config.start_weights.get("definition", 0) > 0:
        for phenotype in graph.entity_ids(Kind.PHENOTYPE):
            if graph.entity(phenotype).definition:
                found[phenotype] = tuple(
                    sorted(graph.sources_under(phenotype, Relation.HAS_PHENOTYPE))
                )
    return found
