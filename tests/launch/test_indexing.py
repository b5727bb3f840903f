"""The index stage over files: reuse, updates, what was skipped, publishing."""

import json
from types import SimpleNamespace

import pytest

from medr_jax.launch import indexing, stages
from medr_jax.launch.stages import PathsConfig
from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.live import LiveEngine
from medr_jax.retrieval.sources.stream import Format, SourceConfig


@pytest.fixture
def index(tmp_path):
    def run(**options):
        config = SimpleNamespace(
            paths=PathsConfig(artifacts=str(tmp_path / "artifacts")),
            index=IndexConfig(graph=False, **options),
        )
        return stages.index(config)

    return run


@pytest.fixture
def source(tmp_path):
    def write(name, *records):
        path = tmp_path / name
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return [SourceConfig(format=Format.jsonl, path=str(path))]

    return write


def test_files_to_an_index_to_an_update(index, source, tmp_path):
    first = source("a.jsonl", {"id": "A", "text": "zebra"}, {"id": "B", "text": "horse"}, {})
    made = index(sources=first)
    assert made.manifest.counts["documents"] == 2
    assert made.manifest.counts["skipped"] == 1
    assert '"where":"a.jsonl:3"' in (made.path / indexing.SKIPPED).read_text()
    assert index(sources=first).reused

    live = str(tmp_path / "live")
    index(sources=first, publish=live)  # where it is published is not part of what it is
    engine = LiveEngine(live)
    assert engine.engine.document("A") is not None

    second = source("b.jsonl", {"id": "B", "text": "donkey"}, {"id": "C", "text": "mule"})
    index(sources=second, base=str(made.path), delete=["A"], publish=live)
    assert engine.engine.document("A") is None
    assert engine.engine.document("B").segments == ("donkey",)
    assert len(engine.engine) == 2


def test_a_changed_file_is_another_index(index, source):
    one = index(sources=source("a.jsonl", {"id": "A", "text": "zebra"}))
    other = index(sources=source("a.jsonl", {"id": "A", "text": "horse"}))
    assert one.path != other.path
    assert one.content_hash != other.content_hash


def test_nothing_to_index_is_refused():
    with pytest.raises(ValueError, match="there is nothing to index"):
        IndexConfig(graph=False)
    with pytest.raises(ValueError, match="index.delete without index.base"):
        IndexConfig(delete=["A"])
