"""Generic JSON lines and BEIR's layout."""

import json

import pytest

from medr_jax import jsonl
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.sources import beir, json_lines


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def test_our_own_documents_come_back_whole(read, tmp_path):
    document = Document(doc_id="A", kind="k", title="t", segments=("x",), evidence="review")
    plain = Document(doc_id="B", kind="k", title="t")
    jsonl.write(tmp_path / "a.jsonl", [document, plain])
    documents, _ = read(json_lines.read, tmp_path / "a.jsonl")
    assert list(documents.values()) == [document, plain]


def test_any_record_with_an_id_and_a_text(read, write):
    path = write(
        "notes.jsonl.gz",
        lines(
            {"id": 7, "title": "T", "text": "Body  text.", "date": "2020", "other": [1]},
            {"_id": "b", "contents": "Only a body", "kind": "note"},
        ),
    )
    documents, skipped = read(json_lines.read, path)
    assert skipped.count == 0
    seven, b = documents["7"], documents["b"]
    assert (seven.title, seven.segments, seven.date) == ("T", ("Body text.",), "2020")
    assert (seven.kind, b.kind, b.source) == ("document", "note", "notes")


def test_bad_lines_are_named(read, write):
    text = '{"id": "a", "text": "x"}\nnot json\n[1]\n\n{"text": "no id"}\n{"id": "z"}\n'
    text += '{"id": "y", "text": "x", "date": 5}\n'
    documents, skipped = read(json_lines.read, write("n.jsonl", text))
    assert list(documents) == ["a"]
    assert [record.where for record in skipped.named] == [f"n.jsonl:{n}" for n in (2, 3, 5, 6, 7)]


def test_beir(read, write, tmp_path):
    write("set/corpus.jsonl", lines({"_id": "d1", "title": "", "text": "Zebra.", "metadata": {}}))
    write("set/queries.jsonl", lines({"_id": "q1", "text": "zebra"}, {"_id": 2, "text": "x"}))
    write("set/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td9\t0\n")
    folder = tmp_path / "set"
    documents, skipped = read(beir.read, folder)
    assert documents["d1"].segments == ("Zebra.",)
    assert (documents["d1"].source, skipped.count) == ("set", 0)
    assert beir.queries(folder) == {"q1": "zebra", "2": "x"}
    assert beir.judgements(folder) == {"q1": {"d1": 2, "d9": 0}}
    with pytest.raises(ValueError, match="has not BEIR's layout"):
        beir.judgements(folder, "dev")
