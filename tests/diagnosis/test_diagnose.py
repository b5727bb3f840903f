"""The differential: shares, priors, contributions, words."""

import math
import time

import numpy as np
import pytest

from medr_jax import jsonl
from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.diagnose import Diagnosis
from medr_jax.diagnosis.explain import Basis
from medr_jax.diagnosis.findings import Findings
from medr_jax.diagnosis.likelihood import log_ratios
from medr_jax.diagnosis.ontology import Closure, Ontology
from medr_jax.diagnosis.table import Columns, DiseaseTable


@pytest.fixture
def make(graph, table):
    return lambda **config: Diagnosis(graph=graph, table=table, config=DiagnosisConfig(**config))


def test_shares_and_none_add_up_to_one(make):
    result = make().differential(["HP:11"])
    assert result.candidates[0].disease_id == "D:1"
    total = math.fsum(c.share for c in result.candidates) + result.none_share
    assert total == pytest.approx(1)
    assert result.num_diseases == 4


def test_contributions_add_up_to_the_log_odds(make):
    result = make(temperature=2.0, none_share=0.1).differential(["HP:11", "HP:21"], ["HP:12"])
    for candidate in result.candidates:
        parts = [part.log_odds for part in candidate.contributions]
        assert math.fsum(parts) == pytest.approx(candidate.log_odds)
    # share(D) / share(none) = prior(D) / prior(none) exp(log-odds)
    best = result.candidates[0]
    odds = (1 - 0.1) / 4 / 0.1 * math.exp(best.log_odds)
    assert best.share / result.none_share == pytest.approx(odds)


def test_a_contribution_says_what_it_rests_on(make):
    by_id = {c.disease_id: c for c in make().differential(["HP:111"]).candidates}
    (stated,) = by_id["D:2"].contributions
    assert (stated.basis, stated.stated_id, stated.frequency) == (Basis.STATED, "HP:111", "3/4")
    assert stated.references == ("PMID:1",)
    assert 0.2 < stated.low < 0.7 < stated.high < 1
    (broader,) = by_id["D:1"].contributions
    assert (broader.basis, broader.stated_id, broader.frequency) == (
        Basis.BROADER,
        "HP:11",
        "14/15",
    )
    assert by_id["D:3"].contributions[0].basis is Basis.EXCLUDED
    assert by_id["D:4"].contributions[0].basis is Basis.NOTHING
    (narrower,) = make().differential(["HP:1"]).candidates[0].contributions
    assert narrower.basis is Basis.NARROWER


def test_a_hidden_disease_is_no_candidate(make):
    result = make().differential(["HP:11"], exclude={"D:1"})
    assert "D:1" not in [candidate.disease_id for candidate in result.candidates]
    assert result.num_diseases == 3


def test_replaced_ids_are_known(make):
    assert make().differential(["HP:999"]).candidates[0].disease_id == "D:1"


def test_equal_candidates_are_in_order_of_id(make):
    result = make().differential(["HP:12"], exclude={"D:1", "D:2"})
    assert [c.disease_id for c in result.candidates] == ["D:3", "D:4"]


def priors(tmp_path, *lines):
    path = tmp_path / "prior.jsonl"
    jsonl.write(path, [{"disease": disease, "prior": prior} for disease, prior in lines])
    return str(path)


def test_only_a_prior_of_the_users_makes_a_probability(make, tmp_path):
    path = priors(tmp_path, ("D:1", 0.001), ("D:2", 0.5))
    result = make(prior_file=path).differential(["HP:11"])
    assert result.is_probability
    assert not make().differential(["HP:11"]).is_probability
    assert [c.disease_id for c in result.candidates] == ["D:2", "D:1"]  # D:1 led before
    assert result.num_diseases == 2
    best = result.candidates[0]
    assert best.share / result.none_share == pytest.approx(
        0.5 / (1 - 0.501) * math.exp(best.log_odds)
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([("D:1", 0.7), ("D:2", 0.7)], "add up to 1.4"),
        ([("D:1", -0.1)], "record 1: prior=-0.1 must be from 0 to 1"),
        ([("D:1", 0.1), ("D:1", 0.1)], "record 2: 'D:1' has a prior already"),
        ([("D:9", 0.1)], "'D:9' is no disease of the table"),
    ],
)
def test_wrong_priors_are_refused(make, tmp_path, lines, message):
    with pytest.raises(ValueError, match=message):
        make(prior_file=priors(tmp_path, *lines))


@pytest.mark.parametrize(
    "wrong",
    [{"noise": 0.0}, {"none_share": 1.0}, {"temperature": 0.0}, {"imprecision": 2.0}],
)
def test_wrong_settings_are_refused(wrong):
    (field,) = wrong
    with pytest.raises(ValueError, match=f"diagnosis.{field}="):
        DiagnosisConfig(**wrong)


@pytest.mark.slow
def test_ten_thousand_diseases_take_at_most_50_ms():
    num_diseases, num_terms, depth = 10_000, 2_000, 10
    rng = np.random.default_rng(0)
    above = np.stack([np.maximum(np.arange(num_terms) - n, 0) for n in range(depth)], axis=1)
    rows = [np.unique(row) for row in above]
    closure = Closure(starts=np.cumsum([0, *map(len, rows)]), members=np.concatenate(rows))
    per_term = num_diseases // 10
    columns = Columns(
        starts=np.arange(num_terms + 1) * per_term,
        rows=np.concatenate(
            [np.sort(rng.choice(num_diseases, per_term, replace=False)) for _ in range(num_terms)]
        ),
        values=rng.random(num_terms * per_term),
    )
    empty = Columns(
        starts=np.zeros(num_terms + 1, dtype=int), rows=np.zeros(0, dtype=int), values=np.zeros(0)
    )
    table = DiseaseTable(
        ontology=Ontology(tuple(f"HP:{n:07d}" for n in range(num_terms)), closure),
        disease_ids=tuple(map(str, range(num_diseases))),
        frequency=columns,
        excluded=empty,
        pair_starts=np.zeros(num_diseases + 1, dtype=int),
        pair_terms=np.zeros(0, dtype=int),
        pair_betas=np.zeros((0, 2)),
    )
    background = table.background
    findings = Findings(present=tuple(range(100, 1100, 100)), absent=(1500, 1700))
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        log_ratios(table, background, findings, DiagnosisConfig(), 0.0)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05
