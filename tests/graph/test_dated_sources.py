"""Trials, Orange Book, labels and PubMed: facts with dates and identifiers."""

import json

import pytest

from medr_jax.graph.sources.base import named_id
from medr_jax.graph.sources.clinical_trials import read_clinical_trials
from medr_jax.graph.sources.drug_label import read_drug_label
from medr_jax.graph.sources.orange_book import read_orange_book
from medr_jax.graph.sources.pubmed import read_pubmed
from medr_jax.types import Kind, Relation

DRUG = named_id(Kind.DRUG, "warfarin")


def facts(records):
    return {(e.source, e.relation.value, e.target, e.polarity.value) for e in records.edges}


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_trials_have_dates_and_identifiers(tmp_path, study):
    bad = [study(nct="NCT1"), study(startDateStruct={"date": "March 2019"}), "no study"]
    text = json.dumps({"studies": [study(), *bad], "nextPageToken": "x"})
    records = read_clinical_trials(written(tmp_path, "studies.json", text))
    trial = "NCT01234567"
    assert facts(records) == {
        (trial, "studies", named_id(Kind.DISEASE, "marfan syndrome"), "positive"),
        (trial, "tests", named_id(Kind.DRUG, "losartan"), "positive"),
        (trial, "sponsored_by", named_id(Kind.ORGANIZATION, "some hospital"), "positive"),
        (trial, "started_on", "DATE:2019-03", "positive"),
        (trial, "completed_on", "DATE:2021-06-30", "positive"),
        (trial, "has_status", "CT:COMPLETED", "positive"),
        (trial, "has_phase", "CT:PHASE2", "positive"),
        (trial, "has_phase", "CT:PHASE3", "positive"),
    }
    completed = next(e for e in records.edges if e.relation is Relation.COMPLETED_ON)
    assert (completed.date, completed.qualifier) == ("2021-06-30", "ESTIMATED")
    assert all(e.references == (trial,) for e in records.edges)
    assert [problem.line for problem in records.problems] == [2, 3, 4]
    with pytest.raises(ValueError, match="not JSON"):
        read_clinical_trials(written(tmp_path, "cut.json", text[:50]))


def test_orange_book_says_what_expires_when(tmp_path):
    written(
        tmp_path,
        "products.txt",
        "Ingredient~DF;Route~Trade_Name~Applicant~Strength~Appl_Type~Appl_No~Product_No~TE_Code~"
        "Approval_Date~RLD~RS~Type~Applicant_Full_Name\n"
        'BUDESONIDE; FORMOTEROL "X"~AEROSOL~SYMB~AZ~80MCG~N~021929~001~~Jul 21, 2006~Yes~Yes~RX~'
        "ASTRA\nOLD DRUG~PILL~OLDIE~AZ~1MG~N~000001~001~~Approved Prior to Jan 1, 1982~Yes~Yes~"
        "RX~ASTRA\n",
    )
    written(
        tmp_path,
        "patent.txt",
        "Appl_Type~Appl_No~Product_No~Patent_No~Patent_Expire_Date_Text~Drug_Substance_Flag~"
        "Drug_Product_Flag~Patent_Use_Code~Delist_Flag~Submission_Date\n"
        "N~021929~001~7625884~Aug 24, 2026~~~U-141~Y~\nN~021929~001~1~32 Foo 2026~~~~~\n",
    )
    written(
        tmp_path,
        "exclusivity.txt",
        "Appl_Type~Appl_No~Product_No~Exclusivity_Code~Exclusivity_Date\n"
        "N~021929~001~ODE-1~Jul 13, 2026\n~021929~001~ODE-1~Jul 13, 2026\nN~1~2\n",
    )
    records = read_orange_book(tmp_path)
    product, exclusivity = "FDA:N021929-001", "FDA:N021929-001:ODE-1"
    assert {
        (product, "contains", named_id(Kind.DRUG, "budesonide"), "positive"),
        (product, "contains", named_id(Kind.DRUG, 'formoterol "x"'), "positive"),
        (product, "approved_on", "DATE:2006-07-21", "positive"),
        (product, "protected_by", "USPATENT:7625884", "positive"),
        ("USPATENT:7625884", "expires_on", "DATE:2026-08-24", "positive"),
        (product, "protected_by", exclusivity, "positive"),
        (exclusivity, "expires_on", "DATE:2026-07-13", "positive"),
    } <= facts(records)
    assert not [e for e in records.edges if e.source.endswith("000001-001") and e.date]
    patent = next(e for e in records.edges if e.target == "USPATENT:7625884")
    assert (patent.qualifier, patent.date) == ("U-141; delist requested", "2026-08-24")
    places = [(problem.file.rpartition("/")[2], problem.line) for problem in records.problems]
    assert places == [("patent.txt", 3), ("exclusivity.txt", 3), ("exclusivity.txt", 4)]


def test_the_real_orange_book_samples_are_read_whole(shared_data):
    for name in ("orange_book_patent.txt", "orange_book_exclusivity.txt"):
        path = shared_data / "formats" / name
        rows = len(path.read_text(encoding="utf-8").splitlines()) - 1
        records = read_orange_book(path)
        assert rows > 10 and not records.problems
        assert sum(e.relation is Relation.PROTECTED_BY for e in records.edges) == rows


def test_labels_give_structured_fields_only(tmp_path):
    label = {
        "set_id": "abc", "effective_time": "20230104",
        "indications_and_usage": ["1 INDICATIONS   Warfarin is for x."],
        "contraindications": ["Pregnancy."],
        "openfda": {
            "generic_name": ["WARFARIN"], "brand_name": ["Jantoven"],
            "manufacturer_name": ["Maker"], "application_number": ["ANDA040416"],
            "pharm_class_epc": ["Vitamin K Antagonist [EPC]"],
        },
    }  # fmt: skip
    undated = {**label, "effective_time": "2023"}
    lines = [json.dumps(label), json.dumps(undated), json.dumps({"set_id": "x"}), "[1]", ""]
    records = read_drug_label(written(tmp_path, "labels.jsonl", "\n".join(lines)))
    assert facts(records) == {
        ("SPL:abc", "describes", DRUG, "positive"),
        (DRUG, "in_class", "CLASS:Vitamin K Antagonist [EPC]", "positive"),
        ("SPL:abc", "made_by", named_id(Kind.ORGANIZATION, "maker"), "positive"),
        ("SPL:abc", "dated", "DATE:2023-01-04", "positive"),
    }
    assert records.entities[0].xrefs == ("FDA:ANDA040416",)
    assert sorted(problem.line for problem in records.problems) == [2, 3, 4]


def test_the_real_pubmed_record_is_read(shared_data):
    records = read_pubmed(shared_data / "formats" / "pubmed-29768149.xml")
    paper = "PMID:29768149"
    assert not records.problems
    assert (paper, "published_on", "DATE:2018-05-17", "positive") in facts(records)
    journal = named_id(Kind.JOURNAL, "The New England journal of medicine")
    assert (paper, "published_in", journal, "positive") in facts(records)
    entity = next(e for e in records.entities if e.id == paper)
    assert entity.name == "Inhaled Combined Budesonide-Formoterol as Needed in Mild Asthma."
    assert "DOI:10.1056/NEJMoa1715274" in entity.xrefs
    about = [e for e in records.edges if e.relation is Relation.ABOUT]
    assert any(e.qualifier == "major topic" for e in about) and about[0].target.startswith("MESH:")
    assert sum(e.relation is Relation.FIRST_AUTHOR for e in records.edges) == 1


def test_pubmed_dates_authors_and_retractions(tmp_path):
    def article(pmid, date, extra=""):
        return (
            f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><Journal><JournalIssue>"
            f"<PubDate>{date}</PubDate></JournalIssue><Title>J</Title></Journal><ArticleTitle>T "
            f"<i>x</i></ArticleTitle></Article>{extra}</MedlineCitation></PubmedArticle>"
        )

    retracted = (
        '<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><PMID>9</PMID>'
        "</CommentsCorrections></CommentsCorrectionsList>"
    )
    parts = [
        article(1, "<Year>2020</Year><Month>Mar</Month>", retracted),
        article(2, "<MedlineDate>1998 Dec-1999 Jan</MedlineDate>"),
        article(3, ""),
    ]
    text = f"<PubmedArticleSet>{''.join(parts)}</PubmedArticleSet>"
    records = read_pubmed(written(tmp_path, "p.xml", text))
    assert {e.target for e in records.edges if e.relation is Relation.PUBLISHED_ON} == {
        "DATE:2020-03",
        "DATE:1998",
    }
    assert ("PMID:1", "retracted_by", "PMID:9", "positive") in facts(records)
    assert records.entities[0].name == "T x"
    (problem,) = records.problems
    assert problem.line == 3 and "PMID 3: PubDate" in problem.message
