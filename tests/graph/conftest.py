"""A tiny release in the real formats, and graphs from a few lines."""

from pathlib import Path

import pytest

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.types import Edge, Entity, Kind

OBO = """\
format-version: 1.2
data-version: hp/releases/2031-02-03
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001 ! All

[Term]
id: HP:0000478
name: Abnormality of the eye
synonym: "Eye disease" EXACT layperson []
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:0000518
name: Cataract
alt_id: HP:0000519
def: "A \\"clouding\\" of the lens." [PMID:1]
synonym: "Lens opacity" EXACT []
synonym: "Cloudy lens" EXACT layperson []
synonym: "CAT" EXACT abbreviation []
synonym: "Blurred thing" RELATED []
xref: UMLS:C0086543
is_a: HP:0000478 {source="x"} ! Abnormality of the eye

[Term]
id: HP:0000545
name: Myopia
synonym: "cloudy  LENS" BROAD []
is_a: HP:0000478 ! Abnormality of the eye

[Term]
id: HP:0000546
name: obsolete Short sight
is_a: HP:0000478 ! Abnormality of the eye
is_obsolete: true
replaced_by: HP:0000545

[Term]
id: HP:0000005
name: Mode of inheritance
is_a: HP:0000001 ! All

[Term]
id: HP:0000006
name: Autosomal dominant inheritance
is_a: HP:0000005 ! Mode of inheritance

[Term]
id: HP:0031797
name: Clinical course
is_a: HP:0000001 ! All

[Term]
id: HP:0003674
name: Onset
is_a: HP:0031797 ! Clinical course

[Term]
id: HP:0003577
name: Congenital onset
is_a: HP:0003674 ! Onset

[Term]
id: HP:0003676
name: Progressive
is_a: HP:0031797 ! Clinical course

[Term]
id: HP:0012825
name: Mild
is_a: HP:0000001 ! All

[Typedef]
id: part_of
name: part of
"""

HPOA_HEADER = """\
#description: "made by hand"
#version: 2031-02-03
#tracker: https://example.org
#hpo-version: http://example.org/hp/releases/2031-02-03/hp.json
database_id\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect\tbiocuration
"""

GENES_HEADER = "ncbi_gene_id\tgene_symbol\thpo_id\thpo_name\tfrequency\tdisease_id\n"


def hpoa_row(
    disease: str,
    term: str,
    *,
    name: str = "",
    qualifier: str = "",
    reference: str = "PMID:1",
    evidence: str = "PCS",
    onset: str = "",
    frequency: str = "",
    sex: str = "",
    modifier: str = "",
    aspect: str = "P",
) -> str:
    """One row of phenotype.hpoa."""
    return "\t".join(
        [disease, name or f"Disease {disease}", qualifier, term, reference, evidence, onset,
         frequency, sex, modifier, aspect, "HPO:x[2031-01-01]"]
    ) + "\n"  # fmt: skip


@pytest.fixture
def row():
    """Writer of one phenotype.hpoa row."""
    return hpoa_row


@pytest.fixture
def write_release(tmp_path):
    """Writes a release folder; the parts that are not given are small defaults."""

    def write(rows=(), genes=(), obo: str = OBO, header: str = HPOA_HEADER) -> Path:
        folder = tmp_path / "release"
        folder.mkdir(exist_ok=True)
        (folder / "hp.obo").write_text(obo, encoding="utf-8")
        (folder / "phenotype.hpoa").write_text(header + "".join(rows), encoding="utf-8")
        gene_rows = (f"1\t{symbol}\tHP:0000518\tCataract\t-\t{d}\n" for symbol, d in genes)
        (folder / "genes_to_phenotype.txt").write_text(GENES_HEADER + "".join(gene_rows))
        return folder

    return write


_KINDS = {"D": Kind.DISEASE, "P": Kind.PHENOTYPE, "G": Kind.GENE, "I": Kind.INHERITANCE}


@pytest.fixture
def make_graph():
    """Graph of ("D1", "has_phenotype", "P1"[, "excluded"]) lines; first letter = kind."""

    def make(*lines, names=None, **metadata) -> KnowledgeGraph:
        names = names or {}
        edges = [
            line if isinstance(line, Edge)
            else Edge(**dict(zip(("source", "relation", "target", "polarity"), line, strict=False)))
            for line in lines
        ]  # fmt: skip
        ids = {end for edge in edges for end in (edge.source, edge.target)} | set(names)
        entities = [
            Entity(id=i, kind=_KINDS.get(i[0], Kind.PHENOTYPE), name=names.get(i, f"name of {i}"))
            for i in ids
        ]
        return KnowledgeGraph.from_records(entities, edges, snapshot="TEST 1", **metadata)

    return make


KG_HEADER = (
    "relation,display_relation,x_index,x_id,x_type,x_name,x_source,"
    "y_index,y_id,y_type,y_name,y_source\n"
)


@pytest.fixture
def kg():
    """Writer of PrimeKG's kg.csv from (head, node, node) rows."""

    def kg(*rows):
        """kg.csv with every row in both directions, as the real file has it."""
        lines = []
        for head, one, other in rows:
            lines += [f"{head},{one},{other}\n", f"{head},{other},{one}\n"]
        return KG_HEADER + "".join(lines)

    return kg


@pytest.fixture
def study():
    """Maker of a ClinicalTrials.gov study; fields replace those of its status module."""

    def study(nct="NCT01234567", **status):
        return {
            "protocolSection": {
                "identificationModule": {"nctId": nct, "briefTitle": "A trial"},
                "statusModule": {
                    "overallStatus": "COMPLETED",
                    "startDateStruct": {"date": "2019-03"},
                    "completionDateStruct": {"date": "2021-06-30", "type": "ESTIMATED"},
                    **status,
                },
                "designModule": {"phases": ["PHASE2", "PHASE3"]},
                "conditionsModule": {"conditions": ["Marfan  Syndrome"]},
                "armsInterventionsModule": {
                    "interventions": [
                        {"type": "DRUG", "name": "Losartan"},
                        {"type": "DRUG", "name": "Placebo tablet"},
                        {"type": "DEVICE", "name": "Watch"},
                    ]
                },
                "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Some Hospital"}},
            }
        }

    return study
