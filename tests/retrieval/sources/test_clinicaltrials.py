"""ClinicalTrials.gov, API v2."""

import copy

from medr_jax.retrieval.sources import clinicaltrials

STUDY = {
    "protocolSection": {
        "identificationModule": {
            "nctId": "NCT00000001",
            "briefTitle": "Zebrazole in Fever",
            "officialTitle": "A Randomized Trial of Zebrazole",
            "secondaryIdInfos": [{"id": "EU-1"}],
        },
        "statusModule": {
            "overallStatus": "COMPLETED",
            "startDateStruct": {"date": "2020-01"},
            "lastUpdatePostDateStruct": {"date": "2022-03-04"},
        },
        "sponsorCollaboratorsModule": {"leadSponsor": {"name": "Example University"}},
        "descriptionModule": {"briefSummary": "Does it\n  help?"},
        "conditionsModule": {"conditions": ["Fever"]},
        "designModule": {
            "studyType": "INTERVENTIONAL",
            "phases": ["PHASE3"],
            "designInfo": {"allocation": "RANDOMIZED"},
            "enrollmentInfo": {"count": 120},
        },
        "armsInterventionsModule": {"interventions": [{"type": "DRUG", "name": "Zebrazole"}]},
        "referencesModule": {"references": [{"pmid": "8"}, {"citation": "no number"}]},
    },
    "hasResults": True,
}


def study(nct_id, **changed):
    made = copy.deepcopy(STUDY) | changed
    made["protocolSection"]["identificationModule"]["nctId"] = nct_id
    return made


def test_a_page_of_studies(read, write):
    page = {
        "nextPageToken": "x",
        "studies": [study("NCT00000001"), study("NCT2", hasResults=False)],
    }
    documents, skipped = read(clinicaltrials.read, write("page.json", page))
    found = documents["NCT00000001"]
    assert skipped.count == 0
    assert found.title == "Zebrazole in Fever"
    assert found.synonyms == ("A Randomized Trial of Zebrazole",)
    assert found.identifiers == ("NCT00000001", "EU-1")
    assert found.segments[0] == "Summary. Does it help?"
    assert "Interventions: Drug Zebrazole." in found.segments
    assert "Enrolled: 120." in found.segments
    assert found.date == "2022-03-04"
    assert found.references == ("PMID:8",)
    # What is registered is not yet shown.
    assert [d.evidence for d in documents.values()] == ["randomised_trial", "trial_protocol"]


def test_a_list_and_a_single_study(read, write):
    listed, _ = read(clinicaltrials.read, write("list.json", [study("NCT1"), study("NCT2")]))
    single, _ = read(clinicaltrials.read, write("NCT3.json", study("NCT3")))
    assert [*listed, *single] == ["NCT1", "NCT2", "NCT3"]


def test_bad_studies_are_named(read, write):
    studies = [{}, [], None, study("X1"), study("NCT4"), {"protocolSection": "text"}]
    documents, skipped = read(clinicaltrials.read, write("a.json", {"studies": studies}))
    assert list(documents) == ["NCT4"]
    assert [r.where for r in skipped.named] == [f"a.json: record {n}" for n in (1, 2, 3, 4, 6)]
