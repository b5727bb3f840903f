"""Builds that are killed, updates, and replacing an index that is in use."""

import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from medr_jax.retrieval import index as layout
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index
from medr_jax.retrieval.live import LiveEngine, publish, updated
from medr_jax.retrieval.search import SearchEngine
from medr_jax.retrieval.sources.base import Skipped
from medr_jax.retrieval.sources.stream import first_of_each

SCRIPT = Path(__file__).with_name("killed_build.py")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("killed_build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(documents, path, **options):
    return build_index(documents, path, IndexConfig(checkpoint_documents=50), **options)


def test_a_killed_build_goes_on_where_it_was_and_the_old_index_serves(
    script, tmp_path, monkeypatch
):
    build([Document(doc_id="OLD", kind="k", title="old fever")], tmp_path / "old")
    publish(tmp_path / "live", tmp_path / "old")
    live = LiveEngine(tmp_path / "live")

    killed = subprocess.run([sys.executable, SCRIPT, tmp_path / "new"], env=ENVIRONMENT)
    assert killed.returncode == -9
    with pytest.raises(ValueError, match="no finished index"):
        publish(tmp_path / "live", tmp_path / "new")
    assert [hit.doc_id for hit in live.engine.search("fever")] == ["OLD"]

    indexed = []
    fields = layout.fields
    monkeypatch.setattr(
        layout, "fields", lambda d, o, *a, **k: indexed.append(o) or fields(d, o, *a, **k)
    )
    resumed = build(script.documents(), tmp_path / "new", resume=True)
    # Three checkpoints of 50 were committed before document 180; the other 30 were not.
    assert indexed == list(range(150, 300))
    assert resumed == build(script.documents(), tmp_path / "fresh")
    publish(tmp_path / "live", tmp_path / "new")
    assert "OLD" not in [hit.doc_id for hit in live.engine.search("fever")]
    engines = [SearchEngine.open(tmp_path / name) for name in ("new", "fresh")]
    for query in ("fever number 17", "cough", "D:299", "fever"):
        assert engines[0].search(query, num_hits=9) == engines[1].search(query, num_hits=9)


def interrupted(script, path):
    def documents():
        for number, document in enumerate(script.documents()):
            if number == 120:
                raise KeyboardInterrupt
            yield document

    with pytest.raises(KeyboardInterrupt):
        build(documents(), path)


@pytest.mark.parametrize("count", [40, 100, 110])
def test_what_was_never_committed_is_cut_off(script, tmp_path, count):
    # 100 documents were committed; a corpus of just these, of fewer, of a few more.
    interrupted(script, tmp_path / "a")
    documents = list(script.documents())[:count]
    if count < 100:
        with pytest.raises(ValueError, match="of other documents; delete the folder"):
            build(documents, tmp_path / "a", resume=True)
        return
    assert build(documents, tmp_path / "a", resume=True) == build(documents, tmp_path / "b")
    assert len(SearchEngine.open(tmp_path / "a")) == count


def test_an_unfinished_build_of_other_documents_is_refused(script, tmp_path):
    interrupted(script, tmp_path)
    changed = (msgspec.structs.replace(d, title="changed") for d in script.documents())
    with pytest.raises(ValueError, match="of other documents; delete the folder"):
        build(changed, tmp_path, resume=True)


def test_a_damaged_unfinished_build_starts_anew(script, tmp_path):
    interrupted(script, tmp_path)
    (tmp_path / layout.DOCUMENTS).write_bytes(b"")
    assert build(script.documents(), tmp_path, resume=True).counts["documents"] == 300


def test_as_a_set_the_order_does_not_matter(corpus, tmp_path):
    one = build(corpus, tmp_path / "a", order_free=True)
    other = build(corpus[::-1], tmp_path / "b", order_free=True)
    fewer = build(corpus[1:], tmp_path / "c", order_free=True)
    assert one.content_hash == other.content_hash != fewer.content_hash
    engines = [SearchEngine.open(tmp_path / name) for name in "ab"]
    for query in ("marfan", "cataract myopia", "fbn1", "long fingers"):
        assert engines[0].search(query) == engines[1].search(query)


def test_an_update_gives_what_a_fresh_build_gives(corpus, tmp_path):
    build(corpus, tmp_path / "base", order_free=True)
    new = Document(doc_id="N", kind="gene", title="Marfan gene")
    replaced = msgspec.structs.replace(corpus[2], title="Marfan like dysplasia")

    stream = updated(tmp_path / "base", [new, replaced], delete=["D:1", "unknown"])
    after = build(first_of_each(stream, Skipped()), tmp_path / "after", order_free=True)
    # D:1 is gone, D:3 replaced: also from the statistics that rank the others.
    fresh = build([corpus[1], replaced, *corpus[3:], new], tmp_path / "fresh", order_free=True)
    assert after == fresh
    engines = [SearchEngine.open(tmp_path / name) for name in ("after", "fresh")]
    assert engines[0].search("marfan", num_hits=9) == engines[1].search("marfan", num_hits=9)
    assert engines[0].document("D:1") is None
    assert engines[0].document("D:3").title == "Marfan like dysplasia"


def test_readers_never_see_less_than_a_whole_index(corpus, tmp_path):
    for name, count in (("a", 3), ("b", 7)):
        build(corpus[:count], tmp_path / name)
    publish(tmp_path / "live", tmp_path / "a")
    live = LiveEngine(tmp_path / "live")
    stop, seen = threading.Event(), set()

    def read():
        while not stop.is_set():
            engine = live.engine
            seen.add((len(engine), len(engine.search("marfan", num_hits=9))))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(10):
        publish(tmp_path / "live", tmp_path / "b")
        publish(tmp_path / "live", tmp_path / "a")
    stop.set()
    reader.join()
    # The gene lists both Marfan diseases.
    assert seen <= {(3, 2), (7, 3)}


def test_nothing_published_is_said(tmp_path):
    with pytest.raises(ValueError, match="publish an index first"):
        LiveEngine(tmp_path)
