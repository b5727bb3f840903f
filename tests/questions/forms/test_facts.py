"""Facts of the Orange Book, trials, PrimeKG and PubMed: questions, proofs, trajectories."""

import collections

import pytest

from medr_jax.data import tfds_builder
from medr_jax.data.synthesize import synthesize
from medr_jax.grading import match
from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.forms.make import FormMaker
from medr_jax.questions.generate import generate_questions
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.splits import assign_splits
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import documents_from_graph
from medr_jax.retrieval.index import build_index
from medr_jax.tools.config import ToolsConfig
from medr_jax.trajectories import filter as filters
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.types import Kind

FACT_FORMS = ("date", "identifier", "attribute", "drug", "several_answers", "unanswerable")
CONFIG = QuestionConfig(
    num_train=90, num_dev=12, num_test=24, forms=dict.fromkeys(FACT_FORMS, 1.0),
    dev_fraction=0.1, test_fraction=0.3,
)  # fmt: skip


@pytest.fixture(scope="module")
def questions(fact_graph):
    splits = ("train", "test")
    return {split: list(generate_questions(fact_graph, CONFIG, split)) for split in splits}


def test_every_form_is_asked_and_holds_by_brute_force(fact_graph, questions, brute_force_forms):
    checker = brute_force_forms.FactChecker(fact_graph)
    for split, found in questions.items():
        assert {one.form for one in found} == set(FACT_FORMS)
        for question in found:
            assert question.split == split
            assert not brute_force_forms.fact_violations(checker, question), question
    kinds = collections.Counter(
        fact_graph.entity(one.chain.seed_id).kind for one in questions["train"]
    )
    assert set(kinds) >= {Kind.PRODUCT, Kind.TRIAL, Kind.DRUG, Kind.PUBLICATION}


def test_what_answers_a_question_is_in_one_split(questions):
    asked = {
        split: {
            (one.chain.hops[-1].source_id, one.chain.hops[-1].relation)
            for one in found
            if one.chain.hops
        }
        for split, found in questions.items()
    }
    assert asked["train"] and asked["test"] and not asked["train"] & asked["test"]


def test_a_form_without_a_source_is_refused(fact_graph, hpo_graph):
    for graph, form in ((fact_graph, "frequency"), (hpo_graph, "date")):
        maker = FormMaker(QuestionMaker(graph, CONFIG, assign_splits(graph, CONFIG)))
        with pytest.raises(ValueError, match=f"questions.forms.{form}.*add a source"):
            maker.seeds(form, "train")


def test_end_to_end_with_a_verified_proof(fact_graph, tmp_path):
    """Each form's questions become trajectories over the live index, kept by the filters."""
    fact_graph.save(tmp_path / "graph")
    build_index(documents_from_graph(fact_graph), tmp_path / "index", IndexConfig())
    out = tmp_path / "out"
    out.mkdir()
    synthesize(
        graph_path=tmp_path / "graph", index_path=tmp_path / "index", question_config=CONFIG,
        tools_config=ToolsConfig(), config=SynthesisConfig(num_workers=1), out=out,
    )  # fmt: skip
    rows = [
        row
        for split in ("train", "dev", "test")
        for row in tfds_builder.read_trajectories(out / "dataset", split)
    ]
    assert {row.question.form for row in rows} == set(FACT_FORMS)
    kinds = {fact_graph.entity(row.question.chain.seed_id).kind for row in rows}
    assert kinds >= {Kind.PRODUCT, Kind.TRIAL, Kind.DRUG, Kind.PUBLICATION}

    def names(one):
        return (fact_graph.entity(one).name, *fact_graph.entity(one).synonyms)

    for row in rows:
        assert filters.reason_against(row, names=names, max_words=10**6) is None
        assert match.is_correct(row.answer.text, row.question)
        assert row.question.proof["evidence"]
        if row.question.is_unanswerable:
            assert row.answer.text == "unknown" and row.answer.citations
