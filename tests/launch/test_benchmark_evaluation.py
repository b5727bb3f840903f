"""An endpoint's model on a benchmark file: graded, judged, resumed, and without its text."""

import itertools
import json
from types import SimpleNamespace

import pytest

from medr_jax import jsonl
from medr_jax.agent.loop import AgentLimits
from medr_jax.artifacts import Outcome, get_or_build
from medr_jax.endpoint.config import EndpointConfig
from medr_jax.eval import formats
from medr_jax.eval.agents import EndpointAgentsConfig, Setting
from medr_jax.eval.benchmarks import medbrowsecomp, run
from medr_jax.launch import benchmark_evaluation as evaluation
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import IndexConfig, build_index
from medr_jax.testing import endpoint as fake
from medr_jax.testing.endpoint import EndpointServer, message
from medr_jax.tools.runtime import ToolsConfig

pytest.importorskip("openai", reason="needs the extra 'endpoint'")

DRUGS = ("Secretamab", "Hiddenib", "Covertide", "Quietol")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Four encoded questions, and a small index of our own."""
    build = lambda path: Outcome(  # noqa: E731
        content_hash=build_index(
            [Document(doc_id="D1", kind="drug", title="Drugs", segments=DRUGS)],
            path,
            IndexConfig(),
        ).content_hash,
        counts={},
    )
    index = get_or_build(tmp_path, "index", config={}, inputs={}, version="1", build=build)
    index = SimpleNamespace(path=index.path, content_hash="i", manifest=index.manifest)
    monkeypatch.setattr(evaluation.stages, "graph", lambda config: None)
    monkeypatch.setattr(evaluation.stages, "index", lambda config, graph: index)
    from medr_jax.retrieval.search import SearchEngine

    monkeypatch.setattr(
        evaluation.stages, "load_engine", lambda artifact: SearchEngine.open(artifact.path)
    )
    rows = [["prompt", "gold", "task"]]
    rows += [[f"Which drug is number {n}?", drug, f"t{n % 2}"] for n, drug in enumerate(DRUGS)]
    lines = [",".join(medbrowsecomp.encode_cell(cell) for cell in row) for row in rows]
    (tmp_path / "file.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "runs").mkdir()
    quick = {"backoff_s": 0.01, "max_backoff_s": 0.02, "max_retries": 1, "timeout_s": 5.0}
    return SimpleNamespace(
        benchmark="medbrowsecomp",
        path=str(tmp_path / "file.csv"),
        subset="all",
        max_questions=0,
        seed=0,
        passages=True,
        checkpoint="",
        reveal=False,
        endpoint=EndpointConfig(model="org/m", **quick),
        judge=EndpointConfig(**quick),
        agents=EndpointAgentsConfig(settings=[Setting.no_tools]),
        tools=ToolsConfig(),
        agent=AgentLimits(),
        paths=SimpleNamespace(artifacts=str(tmp_path / "artifacts")),
        run_dir=tmp_path / "runs",
    )


def asked(body):
    text = str(body["messages"])
    return next(n for n in range(len(DRUGS)) if f"number {n}?" in text)


def right(body):
    return message(json.dumps({"text": f"DRUG: {DRUGS[asked(body)]}", "citations": []}))


def run_with(config, answer, judge=None):
    with EndpointServer(answer) as server, EndpointServer(judge or answer) as judging:
        config.endpoint.base_url, config.judge.base_url = server.base_url, judging.base_url
        found = evaluation.evaluate_benchmark(config)
        return (*found, server.requests, judging.requests)


def results(config):
    folder = evaluation.Path(config.paths.artifacts) / "benchmark"
    (path,) = folder.glob("*/results.jsonl")
    return path, list(jsonl.read(path, run.BenchmarkResult))


def test_a_model_is_asked_and_its_text_is_kept_out_of_results(config):
    benchmark, (summary,), requests, _ = run_with(config, right)
    assert summary.accuracy["all"].value == 1.0 and summary.accuracy["task=t1"].n == 2
    assert summary.majority.value == 0.25  # four different gold answers
    assert len(requests) == 4 and not any(drug in str(requests) for drug in DRUGS)
    path, rows = results(config)
    assert len(rows) == 4
    for text in ("Which drug", *DRUGS):
        for file in path.parent.iterdir():
            assert text not in file.read_text(), (text, file)
    shown = formats.to_markdown(run.table(benchmark, [summary]))
    assert "1.000" in shown and summary.version in shown and "No judge." in shown
    for file in config.run_dir.iterdir():
        assert "Secretamab" not in file.read_text()
    assert len(run_with(config, right)[2]) == 0  # finished: nobody is asked again


def test_a_failure_is_asked_again_and_never_a_wrong_answer(config):
    down = [0]

    def flaky(body):
        return fake.BROKEN if asked(body) == 2 and not down[0] else right(body)

    with pytest.raises(ValueError, match="1 rollouts failed"):
        run_with(config, flaky)
    down[0] = 1
    _, (summary,), requests, _ = run_with(config, flaky)
    assert summary.accuracy["all"].value == 1.0 and summary.num_infra_failed == 0
    assert len(requests) == 1  # the other three were kept
    config.agents.max_failed, config.seed, config.endpoint.model = 1, 1, "org/other"
    down[0] = 0
    _, (given_up,), _, _ = run_with(config, flaky)
    # three right of three; the failure as a wrong answer would give 0.75
    assert (given_up.accuracy["all"].value, given_up.accuracy["all"].n) == (1.0, 3)
    assert given_up.num_infra_failed == 1


def other_words(body):
    return message(json.dumps({"text": f"the drug with number {asked(body)}", "citations": []}))


def test_a_judge_decides_what_rules_reject_and_stands_in_the_table(config):
    config.judge.model = "judge-1"
    verdicts = itertools.cycle([True, False])

    def judge(body):
        assert "reference" in str(body["messages"])
        said = {"extracted_answer": "x", "reasoning": "r", "correct": next(verdicts)}
        return message(json.dumps(said))

    benchmark, (summary,), _, asked_judge = run_with(config, other_words, judge)
    assert summary.accuracy["all"].value == 0.5 and len(asked_judge) == 4
    assert summary.judge == "judge-1 judge-v1"
    assert "Judge: judge-1 judge-v1." in run.table(benchmark, [summary]).notes[0]
    config.judge.model = ""
    _, (by_rule,), asked_again, _ = run_with(config, other_words)
    assert by_rule.accuracy["all"].value == 0.0 and not asked_again  # answers are kept


def test_a_judge_that_fails_ends_the_command_and_keeps_the_answers(config):
    config.judge.model = "judge-1"
    with pytest.raises(ValueError, match="4 answers could not be judged"):
        run_with(config, other_words, lambda body: message("correct: yes"))
    verdict = {"extracted_answer": "x", "reasoning": "r", "correct": True}
    _, (summary,), requests, _ = run_with(
        config, other_words, lambda body: message(json.dumps(verdict))
    )
    assert summary.accuracy["all"].value == 1.0 and not requests


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": ""}, "path=.*encoded CSV"),
        ({"benchmark": "medqua"}, "choose from"),
        ({"subset": "level:9"}, "task:t0"),
        ({"checkpoint": "somewhere"}, "not both"),
        ({"endpoint": EndpointConfig()}, "name who is asked"),
    ],
)
def test_mistakes_are_named(config, change, said):
    vars(config).update(change)
    with pytest.raises(ValueError, match=said):
        evaluation.evaluate_benchmark(config)


def test_a_judge_for_official_rules_is_refused(config, tmp_path):
    row = {"task_id": "1", "Question": "?", "Level": 1, "Final answer": "17"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    config.benchmark, config.path = "gaia", str(tmp_path / "metadata.jsonl")
    config.judge.model = "judge-1"
    with pytest.raises(ValueError, match="graded by rule"):
        evaluation.evaluate_benchmark(config)
