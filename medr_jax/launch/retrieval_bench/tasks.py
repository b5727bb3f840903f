"""Queries with the documents they should find. What a query is made of is not in the index."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch.retrieval_bench.config import RetrievalBenchConfig
from medr_jax.retrieval.corpus import DEFINITION, Document, documents_from_graph
from medr_jax.retrieval.sources import beir, pubmedqa
from medr_jax.retrieval.sources.base import Skipped
from medr_jax.types import Kind, Relation

_MIN_FINDINGS, _ASKED_FINDINGS = 6, 4


class Judged(NamedTuple):
    """A query and the grades of the documents that answer it."""

    query: str
    grades: dict[str, int]
    kind: str = ""  # what is asked for, where the query names things of another kind


class Task(NamedTuple):
    """``tuned`` queries are for choosing settings, ``judged`` ones are reported."""

    name: str
    documents: Sequence[Document]
    judged: Sequence[Judged]
    tuned: Sequence[Judged] = ()


def make_tasks(config: RetrievalBenchConfig, graph: KnowledgeGraph) -> Iterator[Task]:
    """All tasks of the config, one at a time: each has a corpus of its own."""
    documents = list(documents_from_graph(graph))
    yield name_to_document(documents, config)
    yield definition_to_term(documents, graph, config)
    yield synonym_to_term(documents, graph, config)
    yield findings_to_disease(documents, graph, config)
    if config.pubmedqa:
        yield question_to_abstract(documents, Path(config.pubmedqa), config.seed)
    for folder in config.beir:
        yield beir_task(Path(folder))


def name_to_document(documents: Sequence[Document], config: RetrievalBenchConfig) -> Task:
    """Any document by its own name, which agents ask most; all that bear it count."""
    bearers: dict[str, dict[str, int]] = defaultdict(dict)
    for document in documents:
        bearers[document.title][document.doc_id] = 1
    chosen = random.Random(config.seed).sample(list(bearers), min(config.num_queries, len(bearers)))
    return Task("name to document", documents, [Judged(name, bearers[name]) for name in chosen])


def definition_to_term(
    documents: Iterable[Document], graph: KnowledgeGraph, config: RetrievalBenchConfig
) -> Task:
    """A term by its definition. No phenotype's document has its definition."""
    defined = [e for e in _phenotypes(graph) if e.definition]
    chosen = random.Random(config.seed).sample(defined, min(config.num_queries, len(defined)))
    without = [
        msgspec.structs.replace(
            d, segments=tuple(s for s in d.segments if not s.startswith(f"{DEFINITION}: "))
        )
        for d in documents
    ]
    judged = [Judged(e.definition, {e.id: 1}) for e in chosen]
    return Task("HPO definition to term", without, judged)


def synonym_to_term(
    documents: Iterable[Document], graph: KnowledgeGraph, config: RetrievalBenchConfig
) -> Task:
    """A term by another name of it. No phenotype's document has synonyms."""
    named = [(e, s) for e in _phenotypes(graph) for s in e.synonyms]
    chosen = random.Random(config.seed).sample(named, min(config.num_queries, len(named)))
    without = [
        msgspec.structs.replace(d, synonyms=()) if d.kind == Kind.PHENOTYPE else d
        for d in documents
    ]
    return Task("HPO synonym to term", without, [Judged(s, {e.id: 1}) for e, s in chosen])


def findings_to_disease(
    documents: Sequence[Document], graph: KnowledgeGraph, config: RetrievalBenchConfig
) -> Task:
    """A disease by four of its findings, each said by a synonym that no disease's page has.

    It stands for a description in other words: the open data hold no descriptions of diseases.
    """
    rng = random.Random(config.seed)
    judged: list[Judged] = []
    diseases = list(graph.entity_ids(Kind.DISEASE))
    rng.shuffle(diseases)
    for disease_id in diseases:
        found = [graph.entity(i) for i in graph.targets(disease_id, Relation.HAS_PHENOTYPE)]
        sayable = [entity for entity in found if entity.synonyms]
        if len(sayable) < _MIN_FINDINGS:
            continue
        asked = rng.sample(sayable, _ASKED_FINDINGS)
        query = "; ".join(rng.choice(entity.synonyms) for entity in asked)
        judged.append(Judged(query, {disease_id: 1}, "disease"))
        if len(judged) == config.num_queries:
            break
    return Task("findings in other words to disease", documents, judged)


def question_to_abstract(documents: Sequence[Document], file: Path, seed: int) -> Task:
    """PubMedQA's question to its abstract, among the graph's documents; one half is for tuning."""
    abstracts = list(pubmedqa.read(file, Skipped()))
    asked = [Judged(q.question, {q.doc_id: 1}) for q in pubmedqa.questions(file)]
    random.Random(seed).shuffle(asked)
    half = len(asked) // 2
    corpus = [*documents, *abstracts]
    return Task("PubMedQA question to abstract", corpus, asked[half:], asked[:half])


def beir_task(folder: Path) -> Task:
    """Any set in BEIR's layout, judged on its test split."""
    queries, grades = beir.queries(folder), beir.judgements(folder)
    judged = [Judged(queries[q], found) for q, found in sorted(grades.items()) if q in queries]
    return Task(f"BEIR {folder.name}", list(beir.read(folder, Skipped())), judged)


def _phenotypes(graph: KnowledgeGraph):
    return [graph.entity(i) for i in graph.entity_ids(Kind.PHENOTYPE)]
