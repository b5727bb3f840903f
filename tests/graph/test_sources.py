"""Readers on small files in the real formats, written for these tests."""

import pytest

from medr_jax.graph.sources.base import named_id
from medr_jax.graph.sources.cpic import read_cpic
from medr_jax.graph.sources.hpo import read_hpo
from medr_jax.graph.sources.ontology import read_ontology
from medr_jax.graph.sources.orphanet import read_orphanet
from medr_jax.types import Kind, Relation

DRUG = named_id(Kind.DRUG, "warfarin")


def facts(records):
    return {(e.source, e.relation.value, e.target, e.polarity.value) for e in records.edges}


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_cpic_pairs_keep_their_level(tmp_path):
    text = (
        "Gene,Drug,RxNorm,ATC,Guideline,CPICLevel,CPICLevelStatus,PharmGKBLevel,FDALabel,PMID\n"
        'CYP2C9,warfarin,11289,"B01AA03, X",https://x,A,Final,1A,,21900891;28198005\n'
        "PROC,warfarin,11289,B01AA03,,D,Provisional,,,\n"
        "ABC,thing,1,,,Z,Provisional,,,\n"
    )
    records = read_cpic(written(tmp_path, "cpic-table.csv", text))
    assert facts(records) == {
        (DRUG, "dosed_by_gene", "GENE:CYP2C9", "positive"),
        (DRUG, "dosed_by_gene", "GENE:PROC", "positive"),
    }
    assert [(e.qualifier, e.references) for e in records.edges] == [
        ("A", ("PMID:21900891", "PMID:28198005")),
        ("D", ()),
    ]
    (problem,) = records.problems
    assert problem.line == 4 and "CPICLevel 'Z'" in problem.message
    with pytest.raises(ValueError, match="no column CPICLevel"):
        read_cpic(written(tmp_path, "other.csv", "Gene,Drug,RxNorm,CPICLevelStatus,PMID\n"))


ORPHANET = """<?xml version="1.0" encoding="UTF-8"?>
<JDBOR date="2031-02-03 04:05:06" version="1.3"><DisorderList count="2">
<Disorder id="1"><OrphaCode>558</OrphaCode><Name lang="en">Marfan syndrome</Name>
<PrevalenceList count="4">
<Prevalence id="1"><Source>11389160[PMID]_9[PMID]</Source>
<PrevalenceType><Name lang="en">Point prevalence</Name></PrevalenceType>
<PrevalenceClass><Name lang="en">1-5 / 10 000</Name></PrevalenceClass><ValMoy>20.0</ValMoy>
<PrevalenceGeographic><Name lang="en">Worldwide</Name></PrevalenceGeographic>
<PrevalenceValidationStatus><Name lang="en">Validated</Name></PrevalenceValidationStatus>
</Prevalence>
<Prevalence id="2"><PrevalenceType><Name>Cases/families</Name></PrevalenceType>
<PrevalenceClass/><ValMoy>12.0</ValMoy></Prevalence>
<Prevalence id="3"><PrevalenceType><Name>Cases/families</Name></PrevalenceType>
<ValMoy>0.0</ValMoy></Prevalence>
<Prevalence id="4"><PrevalenceType><Name>Annual incidence</Name></PrevalenceType>
<PrevalenceClass><Name>Unknown</Name></PrevalenceClass></Prevalence>
</PrevalenceList></Disorder>
<Disorder id="2"><Name>No code</Name></Disorder>
</DisorderList></JDBOR>"""


def test_orphanet_states_bands_and_counts_apart(tmp_path):
    records = read_orphanet(written(tmp_path, "en_product9_prev.xml", ORPHANET))
    assert records.snapshot == "Orphanet 2031-02-03"
    band, cases = records.edges  # "Unknown" is no statement
    assert (band.source, band.target) == ("ORPHA:558", "PREVALENCE:1-5 / 10 000")
    assert band.qualifier == "Point prevalence; Worldwide"
    assert band.references == ("PMID:11389160", "PMID:9") and band.evidence == "Validated"
    assert (cases.target, cases.frequency) == ("PREVALENCE:Cases/families", "12.0")
    messages = [problem.message for problem in records.problems]
    assert "ORPHA:558: Cases/families with ValMoy '0.0'" in messages[0]
    assert "OrphaCode is missing" in messages[1]


def test_xml_that_declares_entities_is_refused(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aa">]><JDBOR>&a;</JDBOR>'
    with pytest.raises(ValueError, match="refused"):
        read_orphanet(written(tmp_path, "a.xml", bomb))
    with pytest.raises(ValueError, match="not well-formed"):
        read_orphanet(written(tmp_path, "b.xml", ORPHANET[:400]))


def test_typed_gene_associations_are_preferred(write_release, row):
    folder = write_release([row("OMIM:154700", "HP:0000518")], genes=[("OLD", "OMIM:154700")])
    (folder / "genes_to_disease.txt").write_text(
        "ncbi_gene_id\tgene_symbol\tassociation_type\tdisease_id\tsource\n"
        "NCBIGene:2200\tFBN1\tMENDELIAN\tOMIM:154700\tftp://x\n"
        "NCBIGene:9\tABC\tPOLYGENIC\tOMIM:154700\tftp://x\n"
    )
    genes = [e for e in read_hpo(folder).edges if e.relation is Relation.ASSOCIATED_GENE]
    assert [(e.target, e.qualifier) for e in genes] == [
        ("GENE:ABC", "POLYGENIC"),
        ("GENE:FBN1", "MENDELIAN"),
    ]
    (folder / "genes_to_disease.txt").write_text(
        "ncbi_gene_id\tgene_symbol\tassociation_type\tdisease_id\tsource\n"
        "NCBIGene:2200\tFBN1\tMAYBE\tOMIM:154700\tftp://x\n"
    )
    with pytest.raises(ValueError, match="genes_to_disease.txt:2: association type 'MAYBE'"):
        read_hpo(folder)


def test_any_ontology_is_read(tmp_path):
    text = (
        "data-version: releases/2031-02-03\n\n[Term]\nid: UBERON:0000948\nname: heart\n"
        'synonym: "cardium" EXACT []\nsynonym: "pump" RELATED []\nalt_id: UBERON:1\n\n'
        "[Term]\nid: UBERON:0002349\nname: myocardium\nis_a: UBERON:0000948 ! heart\n"
        "is_a: X:9\nrelationship: part_of UBERON:0000948\n"
    )
    records = read_ontology(written(tmp_path, "uberon.obo", text))
    assert records.snapshot == "UBERON 2031-02-03"
    assert [e.kind for e in records.entities] == [Kind.ANATOMY] * 2
    assert facts(records) == {("UBERON:0002349", "is_a", "UBERON:0000948", "positive")}
    assert records.alternative_ids == {"UBERON:1": "UBERON:0000948"}
    assert records.related_names == [("UBERON:0000948", "pump")]
