"""Calls: statuses, deadlines, order, budgets, controls."""

import logging
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.tools.base import ToolError, ToolOutput
from medr_jax.tools.config import ToolName, ToolsConfig
from medr_jax.tools.runtime import ToolRuntime, standard_tools
from medr_jax.types import Hit, Status, ToolCall

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}}


class Scripted:
    """A tool that does what it is told."""

    name = "scripted"
    description = "for tests"
    parameters = TEXT

    def __init__(self):
        self.release = threading.Event()
        self.threads = set()

    def __call__(self, text: str = "") -> ToolOutput:
        self.threads.add(threading.get_ident())
        what, _, argument = text.partition(" ")
        if what == "sleep":
            time.sleep(float(argument))
        elif what == "hang":
            self.release.wait(30)
        elif what == "raise":
            raise {"tool": ToolError("use less"), "exit": SystemExit(3), "bug": KeyError("k")}[
                argument
            ]
        elif what == "hits":
            return ToolOutput(
                hits=tuple(
                    Hit(doc_id=str(n), title="t" * 10, snippet="s" * 90)
                    for n in range(int(argument))
                )
            )
        elif what == "wrong":
            return "not an output"
        return ToolOutput(text=text)


@pytest.fixture
def tool():
    scripted = Scripted()
    yield scripted
    scripted.release.set()


@pytest.fixture
def make(tool):
    runtimes = []

    def build(**config) -> ToolRuntime:
        runtimes.append(ToolRuntime([tool], ToolsConfig(**config)))
        return runtimes[-1]

    yield build
    for runtime in runtimes:
        runtime.close()


def call(text: str, **fields) -> ToolCall:
    return ToolCall(name="scripted", arguments={"text": text}, **fields)


def test_a_result_carries_text_and_call_id(make):
    result = make().call(call("fine", call_id="c1"))
    assert (result.status, result.text, result.call_id) == (Status.OK, "fine", "c1")
    assert result.latency_ms >= 0


@pytest.mark.parametrize(
    ("made", "status", "message"),
    [
        (ToolCall(name="nope", arguments={}), Status.TOOL_ERROR, "no tool 'nope'; there are: scr"),
        (ToolCall(name="scripted", arguments={"q": 1}), Status.TOOL_ERROR, 'no argument "q"'),
        (call("raise tool"), Status.TOOL_ERROR, "use less"),
        (call("raise bug"), Status.INFRA_ERROR, "scripted failed on our side (KeyError)"),
        (call("raise exit"), Status.INFRA_ERROR, "scripted failed on our side (SystemExit)"),
        (call("wrong"), Status.INFRA_ERROR, "scripted failed on our side (TypeError)"),
    ],
)
def test_failures_are_typed_and_say_what_happened(make, made, status, message, caplog):
    with caplog.at_level(logging.CRITICAL):
        result = make().call(made)
    assert result.status is status
    assert message in result.text
    assert result.hits == ()


def test_null_means_not_given(make):
    assert make().call(ToolCall(name="scripted", arguments={"text": None})).status is Status.OK


def test_no_hits_is_a_result(make):
    result = make().call(call("hits 0"))
    assert (result.status, result.text) == (Status.OK, "no results")


def test_a_deadline_ends_the_call_and_not_the_others(make, tool):
    runtime = make(timeout_s=0.3, num_workers=2)
    start = time.perf_counter()
    results = runtime.call_many([call("hang"), call("hang"), *map(call, "abcd")])
    assert time.perf_counter() - start < 5
    assert [result.status for result in results] == [Status.TIMEOUT] * 2 + [Status.OK] * 4
    # Both workers hang. Waiting for their places must not count as time used.
    assert [result.text for result in results[2:]] == list("abcd")
    assert results[0].text == "scripted took longer than 0.3 s"
    assert runtime.call(call("still works")).text == "still works"


def test_abandoned_calls_are_bounded(make, monkeypatch):
    runtime = make(timeout_s=0.05, num_workers=1)
    monkeypatch.setattr(runtime._workers, "_max_abandoned", 3)
    statuses = [runtime.call(call("hang")).status for _ in range(4)]
    assert statuses == [Status.TIMEOUT] * 3 + [Status.INFRA_ERROR]


def test_order_is_kept_and_calls_overlap(make):
    runtime = make(num_workers=8)
    calls = [call(f"sleep {0.2 - 0.02 * n:.2f}", call_id=str(n)) for n in range(8)]
    start = time.perf_counter()
    results = runtime.call_many(calls)
    assert [result.call_id for result in results] == [str(n) for n in range(8)]
    assert time.perf_counter() - start < 0.9  # 1.04 s one after another


def test_never_more_threads_than_workers(make, tool):
    make(num_workers=3).call_many([call(f"sleep 0.0{n % 5}") for n in range(30)])
    assert len(tool.threads) <= 3


def test_many_callers_share_a_runtime(make):
    runtime = make(num_workers=2)
    seen = []

    def work(n):
        seen.append((n, [r.text for r in runtime.call_many([call(f"{n}.{m}") for m in range(5)])]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(seen) == [(n, [f"{n}.{m}" for m in range(5)]) for n in range(10)]


def test_output_is_bounded(make):
    runtime = make(max_output_chars=250)
    # Hits of 100 characters: two whole ones, half of the third, and no fourth.
    hits = runtime.call(call("hits 9")).hits
    assert [len(hit.title) + len(hit.snippet) for hit in hits] == [100, 100, 50]
    assert hits[2].snippet.endswith(" ...")
    text = runtime.call(call("x" * 1000)).text
    assert len(text) == 250
    assert text.endswith(" ...")


def test_text_is_plain(make):
    assert make().call(call("a\x00\x1b[1m\nb")).text == "a [1m b"


def test_a_closed_runtime_says_so(make):
    runtime = make()
    runtime.close()
    runtime.close()
    result = runtime.call(call("x"))
    assert (result.status, result.text) == (Status.INFRA_ERROR, "the tool runtime is closed")


def test_threads_end_with_the_runtime(tool):
    before = threading.active_count()
    with ToolRuntime([tool], ToolsConfig(num_workers=3)) as runtime:
        runtime.call_many([call("a")] * 9)
    forgotten = ToolRuntime([tool], ToolsConfig(num_workers=3))
    forgotten.call(call("a"))
    del forgotten
    deadline = time.perf_counter() + 5
    while threading.active_count() > before and time.perf_counter() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_two_tools_of_one_name_are_refused(tool):
    with pytest.raises(ValueError, match="names must differ"):
        ToolRuntime([tool, tool], ToolsConfig())


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_hits": 0},
        {"timeout_s": 0.0},
        {"max_output_chars": 10},
        {"num_workers": 0},
        {"max_queries": 0},
        {"max_hits": 2},  # fewer than num_hits, which is 5
        {"names": [ToolName.read, ToolName.read]},
    ],
)
def test_wrong_settings_are_refused(wrong):
    (field,) = wrong
    with pytest.raises(ValueError, match=f"tools.{field}="):
        ToolsConfig(**wrong)


def test_the_log_counts_every_call(make):
    runtime = make()
    runtime.call_many([call("a"), call("raise tool"), ToolCall(name="nope", arguments={})])
    summary = runtime.log.summary()
    assert summary["scripted"]["statuses"] == {"ok": 1, "tool_error": 1}
    assert summary["(unknown)"]["calls"] == 1  # whatever name a model makes up


# -- the standard set -----------------------------------------------------------------------


def test_search_then_read(engine):
    with standard_tools(engine, ToolsConfig()) as runtime:
        assert [schema["name"] for schema in runtime.schemas()] == ["search", "read"]
        found, read = runtime.call_many(
            [
                ToolCall(name="search", arguments={"query": "marfan syndrome"}),
                ToolCall(name="read", arguments={"doc_id": "MONDO:1"}),
            ]
        )
    assert found.hits[0].doc_id == read.hits[0].doc_id == "MONDO:1"
    assert read.hits[0].snippet.startswith("Associated genes: FBN1.")


def test_exclusion_holds_for_both_tools(engine):
    with standard_tools(engine, ToolsConfig(), exclude=frozenset({"MONDO:1"})) as runtime:
        found = runtime.call(ToolCall(name="search", arguments={"query": "marfan syndrome"}))
        read = runtime.call(ToolCall(name="read", arguments={"doc_id": "MONDO:1"}))
    assert (found.hits, found.text) == ((), "no results")
    assert read.status is Status.TOOL_ERROR


def test_emptied_results(engine):
    with standard_tools(engine, ToolsConfig(empty_results=True)) as runtime:
        for name, arguments in (
            ("search", {"query": "marfan syndrome"}),
            ("read", {"doc_id": "MONDO:1"}),
        ):
            result = runtime.call(ToolCall(name=name, arguments=arguments))
            assert (result.status, result.hits, result.text) == (Status.OK, (), "no results")
        wrong = runtime.call(ToolCall(name="search", arguments={}))
        assert wrong.status is Status.TOOL_ERROR  # format errors stay what they are


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": "x" * 1_000_000}, "query has 1000000 characters; the most is 2000"),
        ({"query": "x", "kind": "drug"}, 'kind "drug" is not one of "", "disease", "gene"'),
        ({"q": "x"}, 'search has no argument "q"; it takes query (required), kind'),
    ],
)
def test_wrong_arguments_help_the_model(engine, arguments, message):
    with standard_tools(engine, ToolsConfig()) as runtime:
        result = runtime.call(ToolCall(name="search", arguments=arguments))
    assert result.status is Status.TOOL_ERROR
    assert message in result.text


@pytest.fixture(scope="module")
def standard(engine):
    with standard_tools(engine, ToolsConfig()) as runtime:
        yield runtime


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["search", "read", "", "\ud800"]),
    st.dictionaries(
        st.sampled_from(["query", "doc_id", "kind"]),
        st.text(alphabet=st.characters(codec=None), max_size=30) | st.none() | st.integers(),
    ),
)
def test_any_call_has_a_result(standard, name, arguments):
    result = standard.call(ToolCall(name=name, arguments=arguments))
    assert result.status in (Status.OK, Status.TOOL_ERROR)
    assert result.text or result.hits
    result.text.encode()


def test_more_tools_by_name(engine):
    names = [ToolName.calculator, ToolName.search, ToolName.web_read]
    with standard_tools(engine, ToolsConfig(names=names)) as runtime:
        assert [schema["name"] for schema in runtime.schemas()] == [str(name) for name in names]
        result = runtime.call(ToolCall(name="calculator", arguments={"expression": "2*21"}))
    assert (result.status, result.text) == (Status.OK, "2*21 = 42")


def test_the_web_is_off_and_needs_a_service():
    assert not {ToolName.web_search, ToolName.web_read} & set(ToolsConfig().names)
    with pytest.raises(ValueError, match="tools.web.search_url='': web_search needs the address"):
        ToolsConfig(names=[ToolName.web_search])


@pytest.mark.parametrize(("name", "what"), [("lookup", "graph"), ("diagnose", "diagnosis")])
def test_a_tool_without_its_source_is_refused(engine, name, what):
    with pytest.raises(ValueError, match=f"tools.names holds {name}, which needs a {what}"):
        standard_tools(engine, ToolsConfig(names=[ToolName(name)]))
