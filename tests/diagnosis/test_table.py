"""From annotations to P(phenotype | disease)."""

import numpy as np
import pytest

from medr_jax.diagnosis.config import TableConfig
from medr_jax.diagnosis.ontology import Ontology
from medr_jax.diagnosis.statements import frequency_text, read_statements
from medr_jax.diagnosis.table import FILE, DiseaseTable
from medr_jax.testing.diagnosis import make_graph, make_table, stated


def value(table: DiseaseTable, disease: str, term: str, which: str = "frequency") -> float | None:
    rows, values = getattr(table, which).of(table.ontology.number(term))
    return dict(zip(rows.tolist(), values.tolist(), strict=True)).get(
        table.disease_ids.index(disease)
    )


def test_counts_are_a_beta_posterior(table):
    # Beta(0.5 + 14, 0.5 + 1) has mean 14.5 / 16; the plain ratio would be 0.9333.
    assert value(table, "D:1", "HP:11") == pytest.approx(0.90625)


def test_few_individuals_say_less_than_many():
    few, many = (make_table(make_graph(stated("D:1", "HP:1", f))) for f in ("1/1", "30/30"))
    assert value(few, "D:1", "HP:1") == pytest.approx(0.75)
    assert value(many, "D:1", "HP:1") == pytest.approx(30.5 / 31)


def test_unstated_is_the_prior(table):
    assert value(table, "D:2", "HP:12") == 0.5
    table = make_table(make_graph(stated("D:1", "HP:1")), prior_frequency=0.3)
    assert value(table, "D:1", "HP:1") == pytest.approx(0.3)


def test_a_band_weighs_as_its_interval_does(graph):
    ontology = Ontology.from_graph(graph)
    statements = read_statements(graph, ontology)
    by_pair = {
        (row, ontology.term_ids[term]): place
        for place, (row, term) in enumerate(zip(statements.rows, statements.terms, strict=True))
    }
    # Occasional, 5 to 29%: 12 * 0.17 * 0.83 / 0.24² - 1 = 28.4, more than a band may weigh.
    place = by_pair[0, "HP:21"]
    assert statements.observed[place] == 20
    assert statements.affected[place] == pytest.approx(0.17 * 20)
    frequent = make_graph(stated("D:1", "HP:1", "HP:0040282"))
    statements = read_statements(frequent, Ontology.from_graph(frequent))
    # Frequent, 30 to 79%: 12 * 0.545 * 0.455 / 0.49² - 1.
    assert statements.observed[0] == pytest.approx(11.393, abs=1e-3)


def test_statements_of_one_pair_add_up():
    table = make_table(
        make_graph(
            stated("D:1", "HP:1", "1/2"), stated("D:1", "HP:1", "3/4", references=("PMID:2",))
        )
    )
    assert table.beta_of(0, table.ontology.number("HP:1")) == (4.5, 2.5)


def test_a_term_has_the_greatest_frequency_below_it(table):
    # D:2 has HP:111 (3.5 / 5) and HP:12 (0.5) below HP:1: neither 1.2 nor 0.85.
    assert value(table, "D:2", "HP:11") == value(table, "D:2", "HP:1") == pytest.approx(0.7)
    assert value(table, "D:2", "HP:0000118") == pytest.approx(0.7)
    assert value(table, "D:2", "HP:2") is None


def test_absences_are_no_frequencies_and_their_diseases_no_candidates(table):
    assert value(table, "D:3", "HP:11") is None
    assert value(table, "D:3", "HP:11", "excluded") == pytest.approx(0.5 / 11)
    assert value(table, "D:3", "HP:1", "excluded") is None  # absent of HP:11 only
    assert "D:5" not in table.disease_ids  # nothing is stated of it but an absence


def test_a_positive_statement_beside_an_absence_counts():
    table = make_table(make_graph(stated("D:1", "HP:1", "0/3"), stated("D:1", "HP:1", "1/1")))
    assert value(table, "D:1", "HP:1") == pytest.approx(1.5 / 5)
    assert value(table, "D:1", "HP:1", "excluded") is None


def test_the_background_is_the_mean_over_diseases(table):
    number = table.ontology.number
    assert len(table) == 4
    expected = (value(table, "D:1", "HP:21") + value(table, "D:3", "HP:21") + 0.5) / 5
    assert table.background[number("HP:21")] == pytest.approx(expected)
    assert (table.background > 0).all() and (table.background < 1).all()


def test_one_database_alone(graph):
    statements = read_statements(graph, Ontology.from_graph(graph))
    assert {"OMIM", "ORPHA"} <= set(statements.database_names)
    assert set(statements.of_database("ORPHA").rows) == {2}
    with pytest.raises(ValueError, match="diagnosis.database='X': choose one of .*OMIM"):
        statements.of_database("X")


def test_what_is_saved_is_what_was(table, tmp_path):
    table.save(tmp_path)
    again = DiseaseTable.load(tmp_path)
    assert again.content_hash == table.content_hash
    assert again.disease_ids == table.disease_ids
    np.testing.assert_array_equal(again.background, table.background)


def test_damage_is_told(table, tmp_path):
    with pytest.raises(ValueError, match="no such file; build the table again"):
        DiseaseTable.load(tmp_path)
    table.save(tmp_path)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged .*build the table again"):
        DiseaseTable.load(tmp_path)


@pytest.mark.parametrize(
    ("frequency", "shown"),
    [
        ("14/15", "14/15"),
        ("HP:0040282", "30-79%"),
        ("HP:0040280", "100%"),
        ("40%", "40%"),
        ("", ""),
    ],
)
def test_frequencies_as_a_person_reads_them(frequency, shown):
    assert frequency_text(stated("D:1", "HP:1", frequency)) == shown


@pytest.mark.parametrize("wrong", [{"prior_frequency": 1.0}, {"prior_individuals": 0.0}])
def test_wrong_settings_are_refused(wrong):
    (field,) = wrong
    with pytest.raises(ValueError, match=f"diagnosis.table.{field}="):
        TableConfig(**wrong)
