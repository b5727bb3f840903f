import msgspec
import pytest

from medr_jax import artifacts, jsonl
from medr_jax.artifacts import Outcome
from medr_jax.eval.benchmarks import hpo_multihop
from medr_jax.types import Chain, Clue, Hop, Kind, Question, Relation


def question(number):
    clue = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="tall stature")
    hop = Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id=f"G{number}")
    return Question(
        question_id=f"q{number}", text=f"Which gene? ({number})", num_hops=2,
        chain=Chain(clues=(clue,), hops=(hop,), seed_id="D1"), answer=f"FBN{number}",
        answer_id=f"G{number}", answer_kind=Kind.GENE, answer_aliases=(f"fibrillin {number}",),
        specialties=("connective tissue",), split="test", snapshot="HPO 2025-01-16",
    )  # fmt: skip


@pytest.fixture
def stages(tmp_path):
    """A graph and a synthesis artifact with three test questions."""

    def synthesis(path):
        jsonl.write(path / "questions-test.jsonl", [question(n) for n in (2, 1, 3)])
        return Outcome(content_hash="s", counts={})

    def graph(path):
        return Outcome(content_hash="g", counts={})

    sources = {"phenotype.hpoa": "ab" * 32}
    common = {"config": {}, "version": "1"}
    return (
        artifacts.get_or_build(tmp_path, "graph", inputs=sources, build=graph, **common),
        artifacts.get_or_build(tmp_path, "synthesis", inputs={}, build=synthesis, **common),
    )


@pytest.fixture
def folder(stages, tmp_path):
    out = tmp_path / "benchmark"
    out.mkdir()
    hpo_multihop.build(*stages, "test", out)
    return out


def test_it_is_built_and_loaded(folder):
    items = hpo_multihop.load(folder)
    assert [item.item_id for item in items] == ["q1", "q2", "q3"]
    assert items[0].groups == {
        "hops": "2", "answer": "gene", "form": "forward_chain", "specialty": "connective tissue",
    }  # fmt: skip
    assert hpo_multihop.grade(items[0], "Fibrillin 1").correct
    assert not hpo_multihop.grade(items[0], "FBN2").correct


def test_what_is_shipped_has_identifiers_and_no_text(folder):
    shipped = "".join((folder / name).read_text() for name in ("ids.jsonl", "card.md"))
    assert "q1" in shipped and "HP:1" in shipped and "ab" * 32 in shipped
    for text in ("Which gene", "FBN", "fibrillin", "tall stature"):
        assert text not in shipped


def test_a_version_follows_questions_and_sources(stages, folder, tmp_path):
    (one,) = jsonl.read(folder / "benchmark.json", hpo_multihop.Provenance)
    again = tmp_path / "again"
    again.mkdir()
    assert hpo_multihop.build(*stages, "test", again) == one
    assert (again / "ids.jsonl").read_bytes() == (folder / "ids.jsonl").read_bytes()
    graph, synthesis = stages
    manifest = msgspec.structs.replace(graph.manifest, inputs={"phenotype.hpoa": "cd" * 32})
    other = msgspec.structs.replace(graph, manifest=manifest)
    assert hpo_multihop.build(other, synthesis, "test", again).version != one.version


def test_other_questions_than_the_versions_are_refused(folder):
    questions = list(jsonl.read(folder / "questions.jsonl", Question))
    changed = [msgspec.structs.replace(questions[0], answer="FBN9"), *questions[1:]]
    jsonl.write(folder / "questions.jsonl", changed)
    with pytest.raises(ValueError, match="3 questions of 3, 1 not as in version"):
        hpo_multihop.load(folder)
    jsonl.write(folder / "questions.jsonl", questions[:2])
    with pytest.raises(ValueError, match="2 questions of 3"):
        hpo_multihop.load(folder)


def test_changed_identifiers_are_refused(folder):
    keys = list(jsonl.read(folder / "ids.jsonl", hpo_multihop.QuestionKey))
    jsonl.write(folder / "ids.jsonl", keys[1:])
    with pytest.raises(ValueError, match="not the identifiers of version"):
        hpo_multihop.load(folder)


def test_a_split_without_questions_is_an_error(stages, tmp_path):
    with pytest.raises(ValueError, match="split='dev'"):
        hpo_multihop.build(*stages, "dev", tmp_path)
