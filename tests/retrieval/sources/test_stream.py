"""Many files in one stream."""

import json

import pytest

from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.sources.base import Removal, Skipped, iso_date
from medr_jax.retrieval.sources.stream import (
    Format,
    SourceConfig,
    fingerprints,
    first_of_each,
    items,
)


def document(doc_id, title="t"):
    return Document(doc_id=doc_id, kind="k", title=title)


def test_the_newest_version_of_a_document_is_kept(write, tmp_path):
    for name, title in (("n0001", "old"), ("n0002", "new")):
        write(f"{name}.jsonl", json.dumps({"id": "a", "text": title}))
    write("readme.md", "not a source")
    skipped = Skipped()
    sources = [SourceConfig(format=Format.jsonl, path=str(tmp_path))]
    (found,) = first_of_each(items(sources, skipped), skipped)
    assert found.segments == ("new",)
    assert (skipped.count, skipped.superseded) == (0, 1)


def test_removed_documents_do_not_come_back():
    skipped = Skipped()
    given = [document("a"), Removal(doc_id="b"), document("b"), document("c")]
    assert [d.doc_id for d in first_of_each(given, skipped)] == ["a", "c"]


def test_what_cannot_be_written_down_is_skipped_by_name():
    skipped = Skipped()
    given = [document(""), document("a", "\ud800"), document("b")]
    assert [d.doc_id for d in first_of_each(given, skipped)] == ["b"]
    assert [r.where for r in skipped.named] == ["document ''", "document 'a'"]


def test_fingerprints_change_with_content_not_with_place(write, tmp_path):
    one = fingerprints([SourceConfig(path=str(write("a/n.jsonl", "{}")))])
    same = fingerprints([SourceConfig(path=str(write("b/n.jsonl", "{}")))])
    other = fingerprints([SourceConfig(path=str(write("b/n.jsonl", "[]")))])
    assert one == same != other


@pytest.mark.parametrize("path", ["", "nowhere", "*.none"])
def test_missing_files_are_named(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="path of jsonl is empty|no such file"):
        SourceConfig(path=path).inputs()


@pytest.mark.parametrize(
    ("parts", "date"),
    [
        (("2018", "May", "17"), "2018-05-17"),
        (("2018", "5", ""), "2018-05"),
        (("2018", "Winter", "3"), "2018"),
        (("2018", "13", "1"), "2018"),
        (("2018", "02", "99"), "2018-02"),
        (("x", "May", "1"), ""),
    ],
)
def test_iso_date(parts, date):
    assert iso_date(*parts) == date
