"""Likelihood ratios, by hand."""

import numpy as np
import pytest

from medr_jax.diagnosis.config import DiagnosisConfig
from medr_jax.diagnosis.findings import Findings, read_findings
from medr_jax.diagnosis.likelihood import absent_ratio, log_ratios, present_ratio
from medr_jax.testing.diagnosis import make_graph, make_table, stated

CONFIG = DiagnosisConfig(noise=0.1, imprecision=0.5)


def ratios(table, term, config=CONFIG):
    found = present_ratio(table, table.background, table.ontology.number(term), config)
    return dict(zip(table.disease_ids, found.tolist(), strict=True))


def background(table, term):
    return float(table.background[table.ontology.number(term)])


def test_a_stated_finding_is_its_frequency_over_the_background(table):
    # HP:11: 0.90625 of D:1, 0.7 of D:2 (by HP:111), nothing else.
    b = (0.90625 + 0.7 + 0.5) / 5
    assert background(table, "HP:11") == pytest.approx(b)
    found = ratios(table, "HP:11")
    assert found["D:1"] == pytest.approx(0.1 + 0.9 * 0.90625 / b)
    assert found["D:2"] == pytest.approx(0.1 + 0.9 * 0.7 / b)


def test_a_narrower_finding_counts_as_the_broader_annotation_discounted(table):
    # D:1 has HP:11, the patient HP:111. By the ancestor alone 0.90625 / b(11).
    b11, b111 = background(table, "HP:11"), background(table, "HP:111")
    expected = 0.1 + 0.9 * (b111 / b11) ** 0.5 * 0.90625 / b11
    assert ratios(table, "HP:111")["D:1"] == pytest.approx(expected)
    whole = DiagnosisConfig(noise=0.1, imprecision=0.0)
    assert ratios(table, "HP:111", whole)["D:1"] == pytest.approx(0.1 + 0.9 * 0.90625 / b11)


def test_a_finding_without_relation_is_noise_and_what_the_root_gives(table):
    # D:4 has HP:2 only; with HP:1 it shares the root, which nearly every disease has.
    config = DiagnosisConfig(noise=0.1, imprecision=1.0)
    assert ratios(table, "HP:111", config)["D:4"] < 0.4


def test_an_exclusion_holds_for_what_is_below_it(table):
    # D:3 excludes HP:11 (0.5 of 11 individuals). Without the exclusion it would have the root's.
    for term in ("HP:11", "HP:111"):
        assert ratios(table, term)["D:3"] <= 0.1 + 0.9 * (0.5 / 11) / background(table, "HP:11")
    assert ratios(table, "HP:12")["D:3"] > ratios(table, "HP:11")["D:3"]


def test_a_statement_below_an_exclusion_stands():
    table = make_table(
        make_graph(
            stated("D:1", "HP:11", absent=True),
            stated("D:1", "HP:111", "9/10"),
            stated("D:2", "HP:2"),
        )
    )
    assert ratios(table, "HP:111")["D:1"] > 1


def test_absence_speaks_against_a_disease_that_would_show_it(table):
    number = table.ontology.number("HP:11")
    found = absent_ratio(table, table.background, number, CONFIG)
    by_disease = dict(zip(table.disease_ids, found.tolist(), strict=True))
    b = background(table, "HP:11")
    chance = (0.1 + 0.9 * 0.90625 / b) * b
    assert by_disease["D:1"] == pytest.approx((1 - chance) / (1 - b))
    assert by_disease["D:1"] < 1 < by_disease["D:3"]


def test_rows_are_present_findings_then_absent_ones(table):
    number = table.ontology.number
    findings = Findings(present=(number("HP:11"),), absent=(number("HP:21"),))
    mean = table.recorded.mean()
    found = log_ratios(table, table.background, findings, CONFIG, mean)
    assert found.shape == (2, 4)
    detail = (table.recorded[0] + CONFIG.unrecorded) / (mean + CONFIG.unrecorded)
    assert np.exp(found[0, 0]) == pytest.approx(ratios(table, "HP:11")["D:1"] / detail)
    absent = absent_ratio(table, table.background, findings.absent[0], CONFIG)
    np.testing.assert_allclose(np.exp(found[1]), absent)  # absences are not divided
    assert found[1, table.disease_ids.index("D:3")] < 0


def test_a_disease_described_at_length_has_less_of_each_finding(table):
    alpha, beta = table.pair_betas.T
    expected = [
        sum((alpha / (alpha + beta))[table.pair_starts[row] : table.pair_starts[row + 1]])
        for row in range(len(table))
    ]
    np.testing.assert_allclose(table.recorded, expected)
    findings = Findings(present=(table.ontology.number("HP:11"),), absent=())

    def of_first(unrecorded):
        config = DiagnosisConfig(unrecorded=unrecorded)
        mean = float(table.recorded.mean())
        return log_ratios(table, table.background, findings, config, mean)[0, 0]

    assert table.recorded[0] > table.recorded.mean()
    # The less is known to be missing from all, the more what is recorded weighs.
    assert of_first(0.0) < of_first(5.0) < of_first(1e6)
    assert np.exp(of_first(1e6)) == pytest.approx(ratios(table, "HP:11")["D:1"], rel=1e-4)


# -- findings -------------------------------------------------------------------------------


def ids(table, terms):
    return [table.ontology.term_ids[term] for term in terms]


def test_a_lineage_counts_once(table):
    findings = read_findings(table.ontology, ["HP:1", "HP:111", "HP:11", "HP:21"], ["HP:12"])
    assert ids(table, findings.present) == ["HP:111", "HP:21"]
    assert findings.implied == (("HP:1", "HP:11"), ("HP:11", "HP:111"))


def test_of_absent_terms_the_broadest_counts(table):
    findings = read_findings(table.ontology, ["HP:21"], ["HP:11", "HP:1", "HP:111"])
    assert ids(table, findings.absent) == ["HP:1"]


@pytest.mark.parametrize(
    ("present", "absent", "message"),
    [
        ([], [], "none given"),
        (["HP:11"], ["HP:11"], "HP:11 is given as absent"),
        (["HP:111"], ["HP:1"], "HP:1 is given as absent, but HP:111"),
        (["HP:7"], [], "'HP:7' is no phenotype"),
    ],
)
def test_contradictions_and_unknown_terms_are_refused(table, present, absent, message):
    with pytest.raises(ValueError, match=message):
        read_findings(table.ontology, present, absent)
