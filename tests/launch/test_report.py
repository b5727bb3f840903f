import json

import msgspec
import pytest

from medr_jax.artifacts import Manifest
from medr_jax.eval import metrics
from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.launch import report
from medr_jax.types import (
    Answer,
    Chain,
    Clue,
    Edge,
    Entity,
    Hit,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)

EVIL = "<script>alert('x')</script> syndrome"


@pytest.fixture(scope="module")
def graph():
    entities = [
        Entity(id="D1", kind=Kind.DISEASE, name=EVIL),
        Entity(id="D2", kind=Kind.DISEASE, name="Stiff skin syndrome"),
        Entity(id="GENE:FBN1", kind=Kind.GENE, name="FBN1"),
        *(Entity(id=f"HP:{i}", kind=Kind.PHENOTYPE, name=f"sign {i}") for i in range(6)),
    ]
    edges = [
        *(
            Edge(source=d, relation=Relation.ASSOCIATED_GENE, target="GENE:FBN1")
            for d in ("D1", "D2")
        ),
        *(Edge(source="D1", relation=Relation.HAS_PHENOTYPE, target=f"HP:{i}") for i in range(6)),
    ]
    return KnowledgeGraph.from_records(entities, edges, snapshot="HPO 2025-01-16")


def rollout(graph, index, answer):
    clue = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:0", text="sign 0")
    question = Question(
        question_id=f"q{index}",
        text="Which other disease?",
        chain=Chain(
            clues=(clue,),
            hops=(
                Hop(relation=Relation.ASSOCIATED_GENE, source_id="D1", target_id="GENE:FBN1"),
                Hop(
                    relation=Relation.ASSOCIATED_GENE,
                    source_id="GENE:FBN1",
                    target_id="D2",
                    inverse=True,
                ),
            ),
            seed_id="D1",
        ),
        num_hops=3,
        answer="Stiff skin syndrome",
        answer_id="D2",
        answer_kind=Kind.DISEASE,
        specialties=("skin",),
        split="test",
    )
    hit = Hit(doc_id="GENE:FBN1", title=EVIL, snippet="Associated diseases: x.", label=1)
    trajectory = Trajectory(
        trajectory_id=f"t{index}",
        question=question,
        turns=(
            Turn(
                calls=(ToolCall(name="search", arguments={"query": EVIL}),),
                results=(ToolResult(status=Status.OK, hits=(hit,)),),
            ),
            Turn(answer=Answer(text=answer, citations=("GENE:FBN1",))),
        ),
        status=Status.OK,
    )
    return metrics.grade(
        "model",
        trajectory,
        names=lambda entity_id: (graph.entity(entity_id).name,),
        document_text=lambda doc_id: "FBN1. Associated diseases: Stiff skin syndrome.",
    )


@pytest.fixture(scope="module")
def written(graph, tmp_path_factory):
    results = [rollout(graph, i, "stiff skin syndrome" if i % 3 else EVIL) for i in range(9)]
    summary = metrics.summarize("model", results)
    manifest = Manifest(
        stage="sft",
        key="k",
        version="1",
        config={},
        inputs={},
        content_hash="ab" * 32,
        counts={"steps": 1000},
        files={},
        seconds=312.5,
    )
    facts = report.stage_facts(
        [manifest], {"commit": "c0ffee", "packages": {"jax": "0.12"}}, graph, {"model": 0}
    )
    folder = tmp_path_factory.mktemp("report")
    report.write_report(
        folder,
        report.Report(
            title="A run",
            lead="What it is.",
            agents=["majority", "model"],
            summaries={"model": summary},
            results=results,
            seeds=[summary, msgspec.structs.replace(summary, seed=1)],
            curves=[
                report.Curve(
                    caption="Loss.", y_label="loss", values={"loss": [(0, 2.0), (10, 1.0)]}
                )
            ],
            facts=facts,
        ),
        graph=graph,
    )
    return folder


def test_page_holds_every_section(written):
    page = (written / "report.html").read_text()
    for wanted in ("table-0", "curves", "graph", "rollouts", "facts"):
        assert f'id="{wanted}"' in page
    assert page.count('<details class="rollout"') == 5
    assert "c0ffee" in page and "HPO 2025-01-16" in page and "312.5" in page
    assert "not run" in page
    assert "do not measure medical knowledge" in page


def test_a_script_in_a_title_stays_text(written):
    page = (written / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(" in page


def test_json_and_markdown_hold_the_same_numbers(written):
    machine = json.loads((written / "results.json").read_text())
    cell = machine["tables"][0]["rows"][1]["cells"][0]
    assert (cell["value"], cell["n"]) == (6 / 9, 9)
    assert machine["tables"][0]["rows"][0]["cells"][0] is None
    markdown = (written / "results.md").read_text()
    assert "0.667 [" in markdown and "not run" in markdown and "c0ffee" in markdown


def test_the_graph_shows_distractors_but_not_the_chain_twice(graph):
    from medr_jax.eval.question_graph import question_figure

    drawn = question_figure(rollout(graph, 0, "x").question, graph)
    beside = [line for box in drawn.boxes if box.role == "neighbour" for line in box.lines]
    # sign 0 is the clue and FBN1 is on the chain
    assert beside == ["sign 1", "sign 2", "sign 3", "and 2 more"]


def test_a_report_without_results_is_written(tmp_path, graph):
    path = report.write_report(
        tmp_path,
        report.Report(title="Nothing yet", lead="", agents=["model"], summaries={}),
        graph=graph,
    )
    assert "not run" in path.read_text()
