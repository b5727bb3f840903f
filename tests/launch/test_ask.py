"""One question asked: what is shown, what is cited, and when there is no answer."""

import io
from types import SimpleNamespace

import pytest
import rich.console
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from experiments.ask import as_overrides
from medr_jax.agent.loop import AgentLimits
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.launch import ask as asking
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import IndexConfig, build_index
from medr_jax.retrieval.search import SearchEngine
from medr_jax.testing.endpoint import BROKEN, EndpointServer, in_turn, message
from medr_jax.tools.runtime import ToolsConfig
from medr_jax.types import Status

pytest.importorskip("openai", reason="needs the extra 'endpoint'")

DOCUMENTS = (
    Document(
        doc_id="MONDO:1",
        kind="disease",
        title="Marfan syndrome",
        segments=("Associated genes: FBN1.", "Abnormality of limbs: Arachnodactyly."),
        references=("PMID:123", "OMIM:154700"),
    ),
    Document(doc_id="PMID:9", kind="abstract", title="A case", segments=("FBN1 was [red]found.",)),
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    path = tmp_path_factory.mktemp("index")
    build_index(DOCUMENTS, path, IndexConfig())
    return SearchEngine.open(path)


def ask(server, engine, monkeypatch, question="Which gene goes with Marfan syndrome?", **changes):
    monkeypatch.setattr(asking.stages, "index", lambda config: None)
    monkeypatch.setattr(asking.stages, "load_engine", lambda artifact: engine)
    config = SimpleNamespace(
        question=question,
        checkpoint="",
        evidence=False,
        tools=ToolsConfig(),
        agent=AgentLimits(),
        endpoint=EndpointConfig(base_url=server.base_url, model="m", backoff_s=0.01, max_retries=1),
    )
    vars(config).update(changes)
    out = io.StringIO()
    trajectory = asking.ask(config, rich.console.Console(file=out, width=200, highlight=False))
    return trajectory, out.getvalue()


SEARCH = message("I look for it.", ("search", {"query": "Marfan syndrome"}))


SEARCH_LIMBS = message("", ("search", {"query": "FBN1 genes, arachnodactyly"}))


def answer(text, *labels):
    return message("Found.", ("answer", {"text": text, "citations": list(labels)}))


def test_the_search_is_shown_and_the_answer_has_typed_citations(engine, monkeypatch):
    with EndpointServer(in_turn(SEARCH, answer("FBN1", 1))) as server:
        trajectory, shown = ask(server, engine, monkeypatch)
    assert trajectory.status is Status.OK
    for line in (
        asking.NOTICE,
        "I look for it.",
        "→ search(query='Marfan syndrome')",
        "[1] Marfan syndrome (MONDO:1)",
        "Answer: FBN1",
        "database-assertion  MONDO:1  Marfan syndrome",
        "Associated genes: FBN1.",
        "publication-id  PMID:123  (named by the record, not read here)",
    ):
        assert line in shown, line
    assert shown.count(asking.NOTICE) == 2
    assert "OMIM:154700" not in shown and "Arachnodactyly." not in shown.split("Answer:")[1]


def test_the_answer_is_spelled_as_the_documents_spell_it(engine, monkeypatch):
    # a small model says what its tokenizer says
    for said, shown_as in (("fbn1", "FBN1"), ("marfan - syndrome", "Marfan syndrome (MONDO:1)")):
        with EndpointServer(in_turn(SEARCH, answer(said, 1))) as server:
            _, shown = ask(server, engine, monkeypatch)
        assert f"Answer: {shown_as}\n" in shown


def test_what_speaks_for_a_disease_is_the_finding_that_was_asked_for(engine, monkeypatch):
    asked = 'Which disease has "Arachnodactyly"?'
    with EndpointServer(in_turn(SEARCH, answer("Marfan syndrome", 1))) as server:
        _, shown = ask(server, engine, monkeypatch, question=asked)
    # the title alone would state nothing
    assert "Abnormality of limbs: Arachnodactyly." in shown.split("Answer:")[1]
    assert "Associated genes" not in shown.split("Answer:")[1]


def test_a_quoted_finding_that_nothing_holds_is_named(engine, monkeypatch):
    asked = 'Which gene goes with "Arachnodactyly" and "Ectopia lentis"?'
    with EndpointServer(in_turn(SEARCH_LIMBS, answer("FBN1", 1))) as server:
        _, shown = ask(server, engine, monkeypatch, question=asked)
    # the snippet does not show it, but the document holds "Arachnodactyly"
    assert 'Beware: nothing that was found speaks of "Ectopia lentis".' in shown


def test_a_text_is_cited_as_a_sentence_and_whole_documents_on_request(engine, monkeypatch):
    search = message("", ("search", {"query": "case found"}))
    with EndpointServer(in_turn(search, answer("FBN1", 1))) as server:
        _, shown = ask(server, engine, monkeypatch, evidence=True)
    assert "text-sentence  PMID:9  A case" in shown
    assert shown.count("FBN1 was [red]found.") >= 2  # markup of a document is shown as it is


@pytest.mark.parametrize(
    "said",
    [
        (SEARCH, answer("FBN2", 1)),  # the document does not state it
        (SEARCH, answer("FBN1")),  # nothing cited
        (answer("FBN1", 1),),  # nothing seen
    ],
    ids=["not stated", "not cited", "not seen"],
)
def test_without_evidence_there_is_no_answer(engine, monkeypatch, said):
    with EndpointServer(in_turn(*said)) as server:
        _, shown = ask(server, engine, monkeypatch)
    assert asking.NO_EVIDENCE in shown and "Answer:" not in shown


def test_a_search_about_something_else_is_no_evidence(engine, monkeypatch):
    asked = 'Which gene goes with the disease with "{}"?'
    for quoted, answered in (("Ectopia lentis", False), ("Arachnodactyly", True)):
        with EndpointServer(in_turn(SEARCH_LIMBS, answer("FBN1", 1))) as server:
            _, shown = ask(server, engine, monkeypatch, question=asked.format(quoted))
        assert ("Answer: FBN1" in shown) is answered


def test_an_endpoint_that_is_down_is_said_to_be(engine, monkeypatch):
    with EndpointServer(in_turn(BROKEN)) as server:
        trajectory, shown = ask(server, engine, monkeypatch)
    assert trajectory.status is Status.INFRA_ERROR
    assert asking.NO_EVIDENCE in shown and "HTTP 500" in shown


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"question": "  "}, "question"),
        ({"question": "x" * 3000}, "3000 characters"),
        ({"checkpoint": "somewhere"}, "not both"),
        ({"endpoint": EndpointConfig()}, "name who is asked"),
        ({"endpoint": EndpointConfig(), "checkpoint": "/nowhere"}, "/nowhere: no training folder"),
    ],
)
def test_mistakes_are_named(engine, monkeypatch, changes, said):
    with EndpointServer(in_turn(SEARCH)) as server, pytest.raises(ValueError, match=said):
        ask(server, engine, monkeypatch, **changes)


@pytest.mark.parametrize(
    "text",
    [
        'In HPO (2025), which gene goes with "Arachnodactyly", [x] {y: z}?',
        "What's IL-6's gene = ?",
        "a backslash \\ and a quote \\' and ${paths.runs} and an end \\",
        "gene = FBN1 is no setting, because of the space",
    ],
)
def test_a_question_needs_no_quoting_for_hydra(text):
    arguments = as_overrides(["endpoint.model=m", text, "+new.field=1", "--help"])
    assert arguments[0::2] == ["endpoint.model=m", "+new.field=1"] and arguments[3] == "--help"
    (parsed,) = OverridesParser.create().parse_overrides([arguments[1]])
    config = OmegaConf.create({parsed.key_or_group: parsed.value()})
    assert config.question == text
