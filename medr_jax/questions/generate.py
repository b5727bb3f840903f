"""Questions of one split: seeds in order, verified questions of each, then the mixture."""

import collections
import functools
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence

from medr_jax.graph.frequency import rare_diseases
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.graph.rarity import seed_diseases
from medr_jax.graph.specialties import phenotype_specialties, specialties
from medr_jax.questions.closure import Closure
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.forms.make import FormMaker, take
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.select import Cell, Pool, select
from medr_jax.questions.splits import Splits, assign_splits
from medr_jax.types import Kind, Question, Relation

__all__ = ["QuestionConfig", "assemble", "generate_questions", "seed_entities"]

_BATCH = 128  # seeds between two looks at what is still wanted


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
    chains = config.for_chains()
    maker = QuestionMaker(graph, config, splits)
    forms = FormMaker(maker)
    found: list[Question] = []
    if chains.size(split):
        seeds = seed_entities(graph, chains, split, splits)
        found += assemble(
            seeds, lambda seed, closed: maker.from_seed(seed, split, closed), chains, split
        )
    for form, number in config.form_sizes(split).items():
        make = functools.partial(forms.from_seed, form, split=split)
        found += take(forms.seeds(form, split), make, number)
    yield from sorted(found, key=lambda question: question.question_id)
    if rejections is not None:
        rejections.update(maker.rejections + forms.rejections)


def assemble(
    seeds: Sequence[str],
    make: Callable[[str, frozenset[Cell]], Iterable[Question]],
    config: QuestionConfig,
    split: str,
) -> list[Question]:
    """The questions of ``split`` from ``make(seed, closed cells)``, in order of question id.

    ``make`` may give questions of closed cells too (they are passed over), so questions made
    elsewhere, shard by shard and without this knowledge, assemble to the same list.
    """
    pool = Pool(config, split)
    for first in range(0, len(seeds), _BATCH):
        for seed in seeds[first : first + _BATCH]:
            pool.add(make(seed, pool.closed))
        pool.end_batch()
        if pool.is_full:
            break
    rank = {seed: position for position, seed in enumerate(seeds)}
    return select(pool.questions, config, split, rank)


def seed_entities(
    graph: KnowledgeGraph, config: QuestionConfig, split: str, splits: Splits
) -> list[str]:
    """Seed entities of a split, the preferred ones first, evenly over organ systems.

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
    share = config.start_weights.get("definition", 0) / math.fsum(config.start_weights.values())
    room = math.ceil(share * config.size(split))
    kept = []
    for seed in seeds:
        room -= not found[seed]
        if found[seed] or room >= 0:
            kept.append(seed)
    order = _evenly_over_specialties(graph, kept, found)
    if config.seeds == "any":
        return order

    preferred = rare_diseases(graph) if config.seeds == "stated_rare" else sparse

    def is_preferred(seed: str) -> bool:
        return bool(found[seed]) and found[seed][0] in preferred

    return sorted(order, key=lambda seed: is_preferred(seed) is (config.seeds == "common"))


def _evenly_over_specialties(
    graph: KnowledgeGraph, seeds: Sequence[str], found: dict[str, Sequence[str]]
) -> list[str]:
    """The seeds in rounds: the first of every specialty, the second of every specialty, ..."""
    rounds: collections.Counter[str] = collections.Counter()
    known: dict[str, str] = {}
    keyed = []
    for position, seed in enumerate(seeds):
        (subject,) = found[seed] or (seed,)
        if subject not in known:
            look_up = specialties if found[seed] else phenotype_specialties
            known[subject] = (*look_up(graph, subject), "")[0]
        keyed.append((rounds[known[subject]], position))
        rounds[known[subject]] += 1
    return [seeds[position] for _, position in sorted(keyed)]


def _starts(
    graph: KnowledgeGraph, config: QuestionConfig, wanted: frozenset[str]
) -> dict[str, Sequence[str]]:
    """Entities at which a question may begin, each with its only disease if it has one."""
    found: dict[str, Sequence[str]] = {}
    if config.start_weights.get("clues", 0) > 0:
        found.update((disease, (disease,)) for disease in sorted(wanted))
    if config.start_weights.get("gene", 0) > 0:
        for gene in graph.entity_ids(Kind.GENE):
            diseases = graph.sources(gene, Relation.ASSOCIATED_GENE)
            if len(diseases) == 1 and diseases[0] in wanted:
                found[gene] = diseases
    if config.start_weights.get("definition", 0) > 0:
        closure = Closure(graph)
        for phenotype in graph.entity_ids(Kind.PHENOTYPE):
            if graph.entity(phenotype).definition:
                mask = closure.mask(phenotype)
                only = mask and mask.bit_count() == 1
                found[phenotype] = tuple(closure.members(mask)) if only else ()
    return found
