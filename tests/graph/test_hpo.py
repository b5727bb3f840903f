import collections

import pytest

from medr_jax.graph.sources.hpo import package_directory, read_hpo
from medr_jax.types import Kind, Polarity, Relation

CATARACT, MYOPIA, EYE = "HP:0000518", "HP:0000545", "HP:0000478"


def annotations(folder):
    return [e for e in read_hpo(folder).edges if e.source.startswith(("OMIM", "ORPHA"))]


def test_terms_get_the_kind_of_their_root(write_release):
    records = read_hpo(write_release())
    kinds = {entity.id: entity.kind for entity in records.entities}
    assert kinds[CATARACT] is Kind.PHENOTYPE
    assert kinds["HP:0000006"] is Kind.INHERITANCE
    assert kinds["HP:0003577"] is Kind.ONSET  # not COURSE, although Onset is a clinical course
    assert kinds["HP:0003676"] is Kind.COURSE
    assert "HP:0012825" not in kinds  # a modifier is no entity
    assert "HP:0000546" not in kinds  # obsolete
    assert records.snapshot == "HPO 2031-02-03"


def test_only_exact_synonyms_are_offered_and_no_abbreviation(write_release):
    records = read_hpo(write_release())
    cataract = next(e for e in records.entities if e.id == CATARACT)
    assert cataract.synonyms == ("Lens opacity", "Cloudy lens")
    assert (CATARACT, "CAT") in records.related_names
    assert (MYOPIA, "cloudy  LENS") in records.related_names


def test_aspects_become_relations(write_release, row):
    folder = write_release(
        [
            row("OMIM:1", CATARACT),
            row("OMIM:1", "HP:0000006", aspect="I"),
            row("OMIM:1", "HP:0003577", aspect="C"),
            row("OMIM:1", "HP:0003676", aspect="C"),
            row("OMIM:1", "HP:0012825", aspect="M"),
            row("OMIM:1", "HP:0000006", aspect="P"),  # an inheritance term is no phenotype
            row("OMIM:1", "HP:7777777"),
        ]
    )
    assert [(e.relation, e.target) for e in annotations(folder)] == [
        (Relation.HAS_PHENOTYPE, CATARACT),
        (Relation.INHERITED_AS, "HP:0000006"),
        (Relation.HAS_ONSET, "HP:0003577"),
        (Relation.HAS_COURSE, "HP:0003676"),
    ]
    counts = read_hpo(folder).counts
    assert counts["left_out_aspect_M_rows"] == 1
    assert counts["left_out_aspect_P_rows"] == 1
    assert counts["left_out_unknown_term_rows"] == 1


@pytest.mark.parametrize(
    ("fields", "polarity"),
    [
        ({}, Polarity.POSITIVE),
        ({"frequency": "1/9"}, Polarity.POSITIVE),
        ({"frequency": "10/10"}, Polarity.POSITIVE),
        ({"frequency": "0.5%"}, Polarity.POSITIVE),
        ({"frequency": "10%"}, Polarity.POSITIVE),
        ({"frequency": "HP:0040283"}, Polarity.POSITIVE),
        ({"qualifier": "NOT"}, Polarity.EXCLUDED),
        ({"qualifier": "NOT", "frequency": "3/5"}, Polarity.EXCLUDED),
        ({"frequency": "0/12"}, Polarity.EXCLUDED),
        ({"frequency": "0%"}, Polarity.EXCLUDED),
        ({"frequency": "0.0 %"}, Polarity.EXCLUDED),
        ({"frequency": "HP:0040285"}, Polarity.EXCLUDED),
    ],
)
def test_a_reported_absence_is_an_excluded_edge(write_release, row, fields, polarity):
    (edge,) = annotations(write_release([row("OMIM:1", CATARACT, **fields)]))
    assert edge.polarity is polarity


def test_provenance_stays_on_the_edge(write_release, row):
    (edge,) = annotations(
        write_release(
            [
                row(
                    "ORPHA:7", CATARACT, reference="PMID:3;PMID:2", evidence="TAS",
                    onset="HP:0003577", frequency="4/15", sex="female", modifier="HP:0012825",
                )
            ]
        )
    )  # fmt: skip
    assert (edge.num_affected, edge.num_observed, edge.frequency) == (4, 15, "4/15")
    assert edge.references == ("PMID:3", "PMID:2")
    assert (edge.evidence, edge.onset, edge.sex, edge.modifier) == (
        "TAS", "HP:0003577", "FEMALE", "HP:0012825"
    )  # fmt: skip
    assert edge.origin == "phenotype.hpoa 2031-02-03 (ORPHA:7)"
    assert edge.licence == "HPO; Orphanet CC-BY-4.0"


def test_replaced_and_alternative_terms_resolve(write_release, row):
    folder = write_release([row("OMIM:1", "HP:0000519"), row("OMIM:1", "HP:0000546")])
    assert [edge.target for edge in annotations(folder)] == [CATARACT, MYOPIA]


def test_genes_once_per_disease_and_without_placeholder_symbols(write_release, row):
    folder = write_release(
        [row("OMIM:1", CATARACT)],
        genes=[("ABC1", "OMIM:1"), ("ABC1", "OMIM:1"), ("-", "OMIM:1"), ("XYZ", "OMIM:404")],
    )
    records = read_hpo(folder)
    genes = [e for e in records.edges if e.relation is Relation.ASSOCIATED_GENE]
    assert [(e.source, e.target) for e in genes] == [("OMIM:1", "GENE:ABC1")]
    assert [e.id for e in records.entities if e.kind is Kind.GENE] == ["GENE:ABC1"]
    assert records.counts["left_out_genes_without_symbol"] == 1
    assert records.counts["left_out_gene_pairs_without_disease"] == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"frequency": "5/3"}, "phenotype.hpoa:6: frequency '5/3'"),
        ({"frequency": "0/0"}, "phenotype.hpoa:6: frequency '0/0'"),
        ({"qualifier": "MAYBE"}, "phenotype.hpoa:6: qualifier 'MAYBE'"),
    ],
)
def test_impossible_rows_are_refused_with_their_line(write_release, row, fields, message):
    with pytest.raises(ValueError, match=message):
        read_hpo(write_release([row("OMIM:1", CATARACT, **fields)]))


def test_broken_files_say_what_is_wrong(write_release, row, tmp_path):
    with pytest.raises(ValueError, match=r"phenotype.hpoa:6: 3 columns instead of 12"):
        read_hpo(write_release(["OMIM:1\tx\ty\n"]))
    with pytest.raises(ValueError, match="expected columns"):
        read_hpo(write_release(header="#version: 2031-02-03\ndatabase_id\tname\n"))
    with pytest.raises(ValueError, match="no '#version"):
        read_hpo(write_release(header=""))
    with pytest.raises(ValueError, match="holds no date"):
        read_hpo(write_release(obo="[Term]\nid: X:1\nname: a\n"))
    folder = write_release([row("OMIM:1", CATARACT)])
    (folder / "genes_to_phenotype.txt").unlink()
    with pytest.raises(ValueError, match=r"holds no genes_to_phenotype.txt"):
        read_hpo(folder)


def test_real_annotations_are_all_accounted_for():
    # FACTS: 271,702 rows, 711 NOT; genes 12,302 pairs of which "-" symbols are left out.
    records = read_hpo(package_directory())
    stated = collections.Counter(edge.relation for edge in records.edges)
    from_rows = sum(
        stated[relation]
        for relation in (
            Relation.HAS_PHENOTYPE, Relation.INHERITED_AS, Relation.HAS_ONSET, Relation.HAS_COURSE
        )
    )  # fmt: skip
    left_out = sum(n for reason, n in records.counts.items() if reason.endswith("_rows"))
    with (package_directory() / "phenotype.hpoa").open(encoding="utf-8") as lines:
        rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    assert from_rows + left_out == len(rows)
    used = [r for r in rows if r[10] in "PIC"]
    negative = sum(r[2] == "NOT" or r[7].startswith("0/") for r in used)
    excluded = sum(edge.polarity is Polarity.EXCLUDED for edge in records.edges)
    assert excluded == negative > 2_500
