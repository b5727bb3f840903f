"""Metrics by hand, the generator, and the whole benchmark on a small corpus."""

import json
from types import SimpleNamespace

import pytest

from medr_jax.launch.retrieval_bench import quality, report, run
from medr_jax.launch.retrieval_bench.config import RetrievalBenchConfig
from medr_jax.launch.retrieval_bench.generate import generated_documents, generated_queries
from medr_jax.launch.retrieval_bench.tasks import Judged, Task
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document


def test_measures_by_hand():
    found = quality.measures(["x", "a", "y", "b"], {"a": 1, "b": 2, "c": 0})
    assert found["recall@1"] == 0.0
    assert found["recall@10"] == 1.0
    assert found["MRR@10"] == 0.5
    # a at rank 2: 1/log2(3); b at rank 4: 3/log2(5); at best 3/log2(2) + 1/log2(3).
    assert found["nDCG@10"] == pytest.approx((0.63093 + 1.29203) / (3 + 0.63093), abs=1e-4)
    assert set(quality.measures([], {"a": 1}).values()) == {0.0}


def test_differences_are_paired():
    results = {"base": {"m": [0.0, 1.0, 1.0]}, "ours": {"m": [0.0, 1.0, 1.0]}}
    cell = quality.compared(results, "base")["ours"]["m"]
    assert (cell["difference"], cell["low"], cell["high"]) == (0.0, 0.0, 0.0)


def test_the_generator_is_seeded():
    documents = list(generated_documents(50, seed=3))
    assert list(generated_documents(50, seed=3)) == documents
    assert list(generated_documents(50, seed=4)) != documents
    assert len({document.doc_id for document in documents}) == 50
    queries = generated_queries(20, seed=3)
    assert queries == generated_queries(20, seed=3)
    assert {len(query.split()) for query in queries} == {12}


def test_both_systems_find_the_same_and_a_report_is_written(tmp_path):
    pytest.importorskip("bm25s", reason="needs extra 'bench'")
    documents = [
        Document(doc_id=f"D{n}", kind="k", title=f"word{n}", segments=(f"shared text {n % 7}",))
        for n in range(40)
    ]
    judged = [Judged(f"word{n}", {f"D{n}": 1}) for n in range(20)]
    judged.append(Judged("unknown", {"D1": 1}))  # bm25s cannot rank by a word it does not have
    task = Task("words", documents, judged)
    bench = RetrievalBenchConfig(sizes=[1000], speed_queries=5, rounds=1)
    quality_found = run._judged(task, IndexConfig(), bench)
    speed_found = run._timed(1000, IndexConfig(), bench)
    (table,) = quality_found.values()
    assert {table[name]["recall@1"]["mean"] for name in table} == {20 / 21}
    results = {"facts": run._facts(), "quality": quality_found, "speed": {"1000": speed_found}}
    text = report.write(results, tmp_path).read_text()
    assert "| medr_jax | 0.952 (+0.000 [+0.000, +0.000])" in text
    assert json.loads((tmp_path / report.JSON).read_text()) == results
    assert SimpleNamespace(**speed_found["medr_jax"]).queries_per_s > 0
