"""Drug labels of openFDA."""

import json
import zipfile

from medr_jax.retrieval.sources import openfda

LABEL = {
    "set_id": "aaaa-1",
    "effective_time": "20230115",
    "indications_and_usage": ["For   fever;\n pain."],
    "boxed_warning": ["WARNING: stripes"],
    "adverse_reactions_table": ["<table>"],
    "openfda": {
        "brand_name": ["Zebrex"],
        "generic_name": ["ZEBRAZOLE"],
        "application_number": ["NDA012345"],
        "unii": ["U1"],
        "route": ["ORAL"],
    },
}


def test_a_label(read, write):
    content = {"meta": {"results": {"total": 1}}, "results": [LABEL]}
    documents, skipped = read(openfda.read, write("label.json", content))
    found = documents["SPL:aaaa-1"]
    assert skipped.count == 0
    assert (found.title, found.synonyms) == ("Zebrex", ("ZEBRAZOLE",))
    assert found.segments == (
        "Boxed warning. WARNING: stripes",
        "Indications and usage. For fever; pain.",
        "Route: ORAL.",
    )
    assert found.identifiers == ("SPL:aaaa-1", "NDA012345", "UNII:U1")
    assert (found.date, found.evidence, found.licence) == ("2023-01-15", "regulatory", "CC0-1.0")


def test_a_zipped_download(read, tmp_path):
    path = tmp_path / "drug-label-0001-of-0001.json.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("label.json", json.dumps({"results": [LABEL]}))
    documents, _ = read(openfda.read, path)
    assert list(documents) == ["SPL:aaaa-1"]


def test_bad_labels_are_named(read, write):
    labels = [{"set_id": "b"}, {"openfda": {}}, "text", LABEL]
    documents, skipped = read(openfda.read, write("a.json", {"results": labels}))
    assert list(documents) == ["SPL:aaaa-1"]
    assert skipped.count == 3
    assert "names no drug" in skipped.named[0].reason
