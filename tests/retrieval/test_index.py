"""Building: content hash, leftovers, refusals."""

import errno
import os
import re

import msgspec
import pytest

from medr_jax.retrieval import index as layout
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.schema import date_number
from medr_jax.retrieval.search import SearchEngine


def test_counts_by_kind(corpus, tmp_path):
    stats = build_index(iter(corpus), tmp_path, IndexConfig())
    assert stats.counts == {"documents": 7, "disease": 3, "gene": 2, "phenotype": 2}
    engine = SearchEngine.open(tmp_path)
    assert len(engine) == 7
    assert engine.kinds == ("disease", "gene", "phenotype")
    assert engine.content_hash == stats.content_hash


def test_the_hash_is_of_content_and_ranking_not_of_files(corpus, tmp_path):
    first = build_index(corpus, tmp_path / "a", IndexConfig()).content_hash
    assert build_index(corpus, tmp_path / "b", IndexConfig()).content_hash == first

    def files(name):
        folder = tmp_path / name / layout.TANTIVY
        return {path.name for path in folder.iterdir()}

    assert files("a") != files("b")  # Tantivy names segments at random
    changed = msgspec.structs.replace(corpus[0], authority=0.5)
    others = [
        build_index([changed, *corpus[1:]], tmp_path / "c", IndexConfig()).content_hash,
        build_index(corpus[::-1], tmp_path / "d", IndexConfig()).content_hash,
        build_index(corpus, tmp_path / "e", IndexConfig(title_boost=3.0)).content_hash,
    ]
    assert len({first, *others}) == 4


def test_an_interrupted_build_is_no_index_and_the_next_one_starts_clean(corpus, tmp_path):
    build_index(corpus, tmp_path, IndexConfig())

    def broken():
        yield from corpus[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_index(broken(), tmp_path, IndexConfig())
    # The finished index that was there before must not be taken for the new one.
    with pytest.raises(ValueError, match="no finished index"):
        SearchEngine.open(tmp_path)
    assert build_index(corpus[:2], tmp_path, IndexConfig()).counts["documents"] == 2
    assert len(SearchEngine.open(tmp_path)) == 2


def test_files_that_are_not_the_index_are_left_alone(corpus, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    build_index(corpus, tmp_path, IndexConfig())
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([("a", "x"), ("a", "y")], "document 1: doc_id 'a' is used twice"),
        ([("", "x")], "document 0: doc_id '' is empty"),
        ([("a", "bad \ud800 text")], "document 'a': text that is not valid Unicode"),
    ],
)
def test_bad_documents_are_named(documents, message, tmp_path):
    bad = [Document(doc_id=doc_id, kind="k", title=title) for doc_id, title in documents]
    with pytest.raises(ValueError, match=re.escape(message)):
        build_index(bad, tmp_path, IndexConfig())
    with pytest.raises(ValueError, match="no finished index"):
        SearchEngine.open(tmp_path)


def test_a_full_disk_is_an_oserror(corpus, tmp_path, monkeypatch):
    def full(*_):
        raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")

    monkeypatch.setattr(layout, "_add_all", full)
    with pytest.raises(OSError, match="no space left") as raised:
        build_index(corpus, tmp_path, IndexConfig())
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize("name", [layout.DOCUMENTS, layout.OFFSETS, f"{layout.TANTIVY}/meta.json"])
def test_a_damaged_index_is_refused_with_a_remedy(corpus, tmp_path, name):
    build_index(corpus, tmp_path, IndexConfig())
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match="damaged index.*run build_index again"):
        SearchEngine.open(tmp_path)


def test_a_truncated_document_file_is_refused(corpus, tmp_path):
    build_index(corpus, tmp_path, IndexConfig())
    os.truncate(tmp_path / layout.DOCUMENTS, 100)
    with pytest.raises(ValueError, match="damaged index"):
        SearchEngine.open(tmp_path)


def test_a_folder_without_write_access_is_not_called_damaged(corpus, tmp_path):
    build_index(corpus, tmp_path, IndexConfig())
    lock = tmp_path / layout.TANTIVY / ".tantivy-meta.lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # as unwritable for root as for others
    with pytest.raises(ValueError, match="cannot write the lock file"):
        SearchEngine.open(tmp_path)


def test_another_format_is_refused(corpus, tmp_path):
    build_index(corpus, tmp_path, IndexConfig())
    summary = msgspec.json.decode((tmp_path / layout.SUMMARY).read_bytes())
    summary["format"] = 999
    (tmp_path / layout.SUMMARY).write_bytes(msgspec.json.encode(summary))
    with pytest.raises(ValueError, match="index format 999"):
        SearchEngine.open(tmp_path)


def test_wrong_weights_are_refused():
    with pytest.raises(ValueError, match=r"index.title_boost=-1: must be at least 0"):
        IndexConfig(title_boost=-1)


@pytest.mark.parametrize(
    ("date", "number"),
    [("2025-01-16", 20250116), ("2025-01", 20250100), ("2025", 20250000), ("", 0), ("soon", 0)],
)
def test_date_number(date, number):
    assert date_number(date) == number
