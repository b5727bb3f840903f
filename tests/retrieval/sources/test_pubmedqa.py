"""PubMedQA's JSON."""

from medr_jax.retrieval.sources import pubmedqa

RECORD = {
    "QUESTION": "Do zebras have fever?",
    "CONTEXTS": ["We asked.", "They had."],
    "LABELS": ["BACKGROUND", "RESULTS"],
    "MESHES": ["Fever"],
    "YEAR": "2008",
    "LONG_ANSWER": "Zebras do.",
    "final_decision": "yes",
}


def test_neither_question_nor_answer_is_indexed(read, write):
    documents, skipped = read(pubmedqa.read, write("q.json", {"12": RECORD}))
    found = documents["PMID:12"]
    assert found.segments == ("Background. We asked.", "Results. They had.", "MeSH terms: Fever.")
    assert "zebra" not in str(found).lower()
    assert (found.date, skipped.count) == ("2008", 0)
    # The source says nothing about evidence.
    assert not found.evidence


def test_questions_name_their_abstracts(write):
    path = write("q.json", {"12": RECORD, "13": {"QUESTION": "no abstract"}})
    assert list(pubmedqa.questions(path)) == [("Do zebras have fever?", "PMID:12")]


def test_bad_records_are_named(read, write):
    records = {"1": RECORD, "x": RECORD, "2": {}, "3": {**RECORD, "LABELS": ["ONE"]}, "4": None}
    documents, skipped = read(pubmedqa.read, write("q.json", records))
    assert list(documents) == ["PMID:1"]
    assert [r.where for r in skipped.named] == [
        f"q.json: record {n} ({key})" for n, key in ((2, "x"), (3, "2"), (4, "3"), (5, "4"))
    ]


def test_the_real_file(read, shared_data):
    path = shared_data / "pubmedqa" / "ori_pqal_dev.json"
    documents, skipped = read(pubmedqa.read, path)
    assert (len(documents), skipped.count) == (500, 0)
    questions = list(pubmedqa.questions(path))
    assert {question.doc_id for question in questions} == set(documents)
