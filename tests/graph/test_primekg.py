"""PrimeKG in both layouts, on small files written for these tests."""

import pytest

from medr_jax.graph.build import GraphConfig, SourceConfig, assemble, build_graph
from medr_jax.graph.mondo_table import shipped
from medr_jax.graph.sources.primekg import read_primekg
from medr_jax.types import Polarity, Relation

WARFARIN = "DRUGBANK:DB00682"


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


DRUG_NODE = "0,DB00682,drug,Warfarin,DrugBank"
GENE_NODE = "1,1559,gene/protein,CYP2C9,NCBI"
DISEASE_NODE = "2,7947,disease,Marfan syndrome,MONDO"
PHENOTYPE_NODE = "3,518,effect/phenotype,Cataract,HPO"
GROUP_NODE = "4,13924_12592,disease,some group,MONDO_grouped"


ROWS = [
    ("contraindication,contraindication", DRUG_NODE, DISEASE_NODE),
    ("off-label use,off-label use", DISEASE_NODE, DRUG_NODE),
    ("indication,indication", DRUG_NODE, GROUP_NODE),
    ("drug_protein,enzyme", DRUG_NODE, GENE_NODE),
    ("disease_phenotype_positive,phenotype present", DISEASE_NODE, PHENOTYPE_NODE),
    ("disease_phenotype_negative,phenotype absent", GROUP_NODE, PHENOTYPE_NODE),
    ("disease_disease,parent-child", DISEASE_NODE, GROUP_NODE),
    ("drug_protein_new,binds weakly", DRUG_NODE, GENE_NODE),
]


def test_primekg_keeps_each_edge_once_and_typed(tmp_path, kg):
    graph = build_graph(
        GraphConfig(
            sources=[
                SourceConfig(format="primekg", path=str(written(tmp_path, "kg.csv", kg(*ROWS))))
            ]
        )
    )
    assert graph.counts["edges"] == len(ROWS)  # 16 if the directions were two facts
    marfan, group = "MONDO:0007947", "MONDO_grouped:13924_12592"
    assert graph.targets(WARFARIN, Relation.CONTRAINDICATED_IN) == (marfan,)
    assert graph.targets(WARFARIN, Relation.OFF_LABEL_FOR) == (marfan,)
    assert graph.targets(WARFARIN, Relation.INDICATED_FOR) == (group,)
    assert graph.targets(WARFARIN, Relation.DRUG_ENZYME) == ("GENE:CYP2C9",)
    assert graph.targets(marfan, Relation.HAS_PHENOTYPE) == ("HP:0000518",)
    assert graph.targets(group, Relation.HAS_PHENOTYPE) == ()
    assert graph.targets(group, Relation.HAS_PHENOTYPE, Polarity.EXCLUDED) == ("HP:0000518",)
    assert graph.targets(marfan, Relation.PARENT_OR_CHILD) == (group,)
    (unknown,) = graph.edges(WARFARIN, Relation.RELATED_TO, "GENE:CYP2C9")
    assert unknown.qualifier == "binds weakly"
    (enzyme,) = graph.edges(WARFARIN, Relation.DRUG_ENZYME, "GENE:CYP2C9")
    assert enzyme.licence == "PrimeKG; DrugBank CC-BY-NC-4.0" and enzyme.origin == "PrimeKG"


def test_primekg_in_two_files_gives_the_same_graph(tmp_path, kg):
    one = written(tmp_path, "kg.csv", kg(*ROWS))
    nodes = [DRUG_NODE, GENE_NODE, DISEASE_NODE, PHENOTYPE_NODE, GROUP_NODE]
    folder = tmp_path / "two"
    folder.mkdir()
    written(
        folder,
        "nodes.csv",
        "node_index,node_id,node_type,node_name,node_source\n" + "\n".join(nodes),
    )
    pairs = [
        f"{head},{b.split(',')[0]},{a.split(',')[0]}\n"
        for head, x, y in reversed(ROWS)
        for a, b in ((x, y), (y, x))
    ]
    edges = "relation,display_relation,x_index,y_index\n" + "".join(pairs)
    written(folder, "edges.csv", edges + "indication,indication,0,99\n")
    graphs = [assemble([read_primekg(path)], shipped()) for path in (one, folder)]
    assert graphs[0].content_hash == graphs[1].content_hash
    (problem,) = read_primekg(folder).problems
    assert problem.line == 18 and "no node '99'" in problem.message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("x,not associated with", DRUG_NODE, GENE_NODE), "must not become a generic link"),
        (("x,contraindicated_with", DRUG_NODE, GENE_NODE), "must not become a generic link"),
        (("indication,indication", GENE_NODE, DISEASE_NODE), "one end must be a drug"),
        (("x,linked", DRUG_NODE, "9,1,planet,Mars,NASA"), "node type 'planet' is none of"),
        (("indication,indication", DRUG_NODE, "9,,disease,,MONDO"), "disease node has no id"),
    ],
)
def test_bad_rows_of_primekg_are_named(tmp_path, row, message, kg):
    path = written(tmp_path, "kg.csv", kg(ROWS[0], row) + "short,row\n")
    records = read_primekg(path)
    assert len(records.blocks[0]) == 2
    assert [problem.line for problem in records.problems] == [4, 5, 6]
    assert str(records.problems[0]).startswith(f"{path}:4: ")
    assert message in records.problems[0].message
    assert "2 columns instead of 12" in records.problems[2].message
