"""Questions for a person to read, and the labels counted."""

from pathlib import Path

import pytest

from experiments import review_table
from medr_jax import jsonl
from medr_jax.eval import formats, review
from medr_jax.eval.review import CRITERIA, Label
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation


def label(number, note="", **verdicts):
    return Label(
        question_id=f"q{number}",
        text_hash="0" * 16,
        seed=0,
        reader="non-clinician",
        verdicts=dict.fromkeys(CRITERIA, "good") | verdicts,
        note=note,
    )


def test_the_sample_depends_on_seed_and_ids_only(world):
    questions = [world.question(f"q{number}") for number in range(50)]
    drawn = review.draw(questions, 10, seed=0)
    assert drawn == review.draw(questions[::-1], 10, seed=0)
    assert len({one.question_id for one in drawn}) == 10
    assert drawn != review.draw(questions, 10, seed=1)
    assert review.draw(questions, 20, seed=0)[:10] == drawn


@pytest.fixture
def graph():
    entities = [
        Entity(id="D1", kind=Kind.DISEASE, name="Marfan syndrome"),
        Entity(id="D2", kind=Kind.DISEASE, name="Stiff skin syndrome"),
        Entity(id="G1", kind=Kind.GENE, name="FBN1"),
        Entity(id="HP:1", kind=Kind.PHENOTYPE, name="Tall stature", definition="Height above."),
    ]
    edges = [
        Edge(source="D1", relation=Relation.ASSOCIATED_GENE, target="G1", origin="g2p.txt"),
        Edge(source="D2", relation=Relation.ASSOCIATED_GENE, target="G1"),
        Edge(
            source="D1",
            relation=Relation.HAS_PHENOTYPE,
            target="HP:1",
            num_affected=3,
            num_observed=5,
            references=("PMID:1",),
        ),
        Edge(
            source="D1",
            relation=Relation.HAS_PHENOTYPE,
            target="HP:1",
            polarity=Polarity.EXCLUDED,
        ),
    ]
    return KnowledgeGraph.from_records(entities, edges, snapshot="test 2025-01-01")


def test_a_sheet_shows_what_the_source_says_of_every_step(world, graph):
    sheet = review.sheet(graph, world.question(text="Which other disease?"), seed=4)
    assert sheet.chain == ("Marfan syndrome", "FBN1", "Stiff skin syndrome")
    clue, gene, back = sheet.facts
    assert "positive, 3/5, PMID:1" in clue and "excluded" in clue and "Height above." in clue
    assert gene == "Marfan syndrome — associated_gene → FBN1: positive, g2p.txt"
    assert back.startswith("Stiff skin syndrome — associated_gene → FBN1")  # as it is stated
    text = review.as_markdown([sheet])
    assert "Which other disease?" in text and "**Stiff skin syndrome**" in text


def test_a_question_is_as_good_as_its_worst_criterion(tmp_path, capsys):
    labels = [label(number) for number in range(7)]
    labels += [
        label(7, "stiff", natural="minor"),
        label(8, "two readings", natural="minor", unambiguous="major"),
        label(9, "named", non_trivial="major"),
    ]
    table = review.table(labels)
    whole = next(row for row in table.rows if row.label == "whole question")
    assert [cell.value for cell in whole.cells] == [0.7, 0.1, 0.2]
    natural = next(row for row in table.rows if row.label == "natural")
    assert [cell.value for cell in natural.cells] == [0.8, 0.2, 0.0]
    assert "8 of 10 questions are without a major fault" in formats.to_markdown(table)
    path = tmp_path / "labels.jsonl"
    jsonl.write(path, labels)
    assert review_table.main([str(path)]) == 0
    shown = capsys.readouterr().out
    both = "- `q8` major: unambiguous; minor: natural – two readings"
    assert shown.index(both) < shown.index("- `q7` minor: natural – stiff")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([label(1), label(1)], "2: q1: labelled twice"),
        ([label(1, natural="minor")], "say in note"),
        ([label(1, "x", natural="bad")], r"verdicts \['bad'\]"),
        ([label(1, "x", spelling="good")], "a verdict for each of"),
        ([], "no labels"),
    ],
)
def test_unsound_labels_are_refused(tmp_path, labels, said):
    path = tmp_path / "labels.jsonl"
    jsonl.write(path, labels)
    with pytest.raises(ValueError, match=said):
        review.read_labels(path)
    assert review_table.main([str(path)]) == 2


@pytest.mark.parametrize("name", ["labels-first.jsonl", "labels.jsonl"])
def test_the_committed_labels_are_sound(name):
    folder = Path(__file__).resolve().parents[2] / "results" / "question_review"
    labels = review.read_labels(folder / name)
    assert len(labels) == 100 and len({one.seed for one in labels}) == 1
    shown = (folder / "README.md").read_text("utf-8")
    good = sum(not one.is_major for one in labels)
    assert f"{good} of 100 without a major fault" in shown
    assert all(line in shown for line in review.faults(labels))
