import collections

import pytest

from medr_jax.graph import mondo_table
from medr_jax.graph.families import disease_families, series_stem
from medr_jax.graph.mondo_table import MondoClass, MondoTable
from medr_jax.types import Kind, Polarity, Relation

GENE = Relation.ASSOCIATED_GENE


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Retinitis pigmentosa 12", "retinitis pigmentosa"),
        ("Spinocerebellar ataxia type 17", "spinocerebellar ataxia"),
        ("Charcot-Marie-Tooth disease axonal type 2K", "charcot-marie-tooth disease axonal"),
        ("mucopolysaccharidosis type IIIA", "mucopolysaccharidosis"),
        ("glycogen storage disease Ib", "glycogen storage disease"),
        ("Fanconi anemia, complementation group A", "fanconi anemia"),
        ("developmental and epileptic encephalopathy, 4", "developmental and epileptic "
         "encephalopathy"),
        ("microcephaly 7, primary, autosomal recessive", "microcephaly"),
        ("cutis laxa, autosomal dominant 1", "cutis laxa, autosomal dominant"),
        ("Emery-Dreifuss muscular dystrophy 2, autosomal dominant",
         "emery-dreifuss muscular dystrophy"),
        ("cardiomyopathy, dilated, 1A, with conduction defect", "cardiomyopathy, dilated"),
        ("Marfan syndrome", None),
        ("46,XY sex reversal", None),
        ("3-methylcrotonyl-CoA carboxylase deficiency", None),
        ("chromosome 22q11.2 deletion syndrome", None),
        ("mannose 6-phosphate receptor recognition defect", None),
        ("autosomal dominant", None),
        ("", None),
    ],
)  # fmt: skip
def test_series_stem(name, stem):
    assert series_stem(name) == stem


@pytest.fixture
def table(monkeypatch):
    """A small hierarchy in place of the shipped one."""
    few = [MondoClass(f"D{n}", f"d{n}", (), ("MONDO:few",)) for n in (1, 2)]
    many = [MondoClass(f"D{n}", f"d{n}", (), ("MONDO:many",)) for n in (3, 4, 5, 6)]
    table = MondoTable([*few, *many, MondoClass("MONDO:few", "f"), MondoClass("MONDO:many", "m")])
    monkeypatch.setattr(mondo_table, "shipped", lambda: table)


def families_of(graph, **limits):
    return disease_families(graph, **limits)


def test_each_reason_joins(make_graph, table):
    names = {f"D{n}": f"d{n}" for n in range(1, 7)} | {
        "DA": "Ataxia type 1", "DB": "Ataxia 2", "DC": "ataxia", "DE": "Same", "DF": "same",
    }  # fmt: skip
    graph = make_graph(
        ("D3", GENE, "G1"), ("D4", GENE, "G1"), ("D5", Relation.BROADER_THAN, "D6"), names=names
    )
    families = families_of(graph)
    assert families["D1"] == families["D2"] == "D1"  # a parent of two children
    assert families["D3"] == families["D4"] == families["G1"] == "D3"  # a shared gene
    assert families["D5"] == families["D6"] == "D5"  # broader than
    assert families["DA"] == families["DB"] == families["DC"] == "DA"  # a series and its base
    assert families["DE"] == families["DF"] == "DE"  # one name
    # the parent of four children joins nothing: otherwise D3 to D6 were one family
    assert len(set(families.values())) == 5


def test_many_genes_join_nothing_and_only_train(make_graph, table):
    lines = [("DX", GENE, f"G{n}") for n in range(4)]
    families = families_of(make_graph(*lines, ("DY", GENE, "G0"), ("DZ", GENE, "G1")))
    assert families["DX"] == ""
    assert (families["DY"], families["G0"]) == ("DY", "DY")
    assert families["DZ"] == "DZ"  # DX did not join them
    assert families["G3"] == ""  # no disease of few genes has it


def test_an_excluded_gene_is_no_gene(make_graph, table):
    graph = make_graph(("DX", GENE, "G1", Polarity.EXCLUDED), ("DY", GENE, "G1"))
    assert families_of(graph)["DX"] == "DX"


def test_large_families_only_train(make_graph, table):
    names = {f"D{c}": f"Ataxia {n}" for n, c in enumerate("ABC", start=1)}
    graph = make_graph(("DA", GENE, "G1"), names=names)
    assert set(families_of(graph, max_family_size=3).values()) == {"DA"}
    assert set(families_of(graph, max_family_size=2).values()) == {""}


def test_real_families_never_cross_what_must_stay_together(hpo_graph):
    families = disease_families(hpo_graph)
    assert set(families) == {
        *hpo_graph.entity_ids(Kind.DISEASE), *hpo_graph.entity_ids(Kind.GENE)
    }  # fmt: skip
    diseases = hpo_graph.entity_ids(Kind.DISEASE)
    genes = {d: hpo_graph.targets(d, GENE) for d in diseases}
    for disease_id in diseases:
        if len(genes[disease_id]) > 3:
            assert families[disease_id] == ""
            continue
        for gene_id in genes[disease_id]:
            assert families[gene_id] == families[disease_id]
    series = collections.defaultdict(set)
    for disease_id in diseases:
        stem = series_stem(hpo_graph.entity(disease_id).name)
        if stem and families[disease_id]:
            series[stem].add(families[disease_id])
    assert all(len(found) == 1 for found in series.values())
    sizes = collections.Counter(families[d] for d in diseases)
    train_only = sizes.pop("")
    # Room for splits: nearly half of the diseases stand in thousands of small families.
    assert train_only < 0.6 * len(diseases)
    assert len(sizes) > 3_000
    assert max(sizes.values()) <= 200
