import gzip
import json

import pytest

from medr_jax.graph import mondo_table
from medr_jax.graph.mondo_table import MondoClass, derive_table, read_table, write_table

INDRA = [
    {"id": "1", "name": "disease", "namespace": "mondo", "synonyms": ["Ill"]},
    {
        "id": "2",
        "name": "syndrome",
        "synonyms": ["ILL", "S"],
        "xrefs": [
            {"id": "77", "namespace": "Orphanet"},
            {"id": "100", "namespace": "OMIM"},
            {"id": "9", "namespace": "MESH"},
        ],
        "relations": {"is_a": ["1"], "disease_has_feature": ["3"]},
    },
    {"id": "3", "name": "cow disease", "xrefs": [{"id": "5", "namespace": "OMIA"}]},
]


def test_derive_keeps_referring_classes_and_what_is_above_them(tmp_path):
    source = tmp_path / "mondo.json"
    source.write_text(json.dumps(INDRA))
    table = derive_table(source)
    assert table.classes == {
        "MONDO:1": MondoClass("MONDO:1", "disease"),
        "MONDO:2": MondoClass("MONDO:2", "syndrome", ("OMIM:100", "ORPHA:77"), ("MONDO:1",)),
    }
    assert table.ambiguous == {"ill"}
    assert table.by_xref == {"OMIM:100": ["MONDO:2"], "ORPHA:77": ["MONDO:2"]}
    assert table.ancestors("MONDO:2") == {"MONDO:1"}


def test_write_is_deterministic_and_reads_back(tmp_path):
    source = tmp_path / "mondo.json"
    source.write_text(json.dumps(INDRA))
    table = derive_table(source)
    write_table(table, tmp_path / "a")
    write_table(read_table(tmp_path / "a"), tmp_path / "b")
    for name in (mondo_table.TABLE, mondo_table.AMBIGUOUS):
        packed = (tmp_path / "a" / name).read_bytes()
        assert packed == (tmp_path / "b" / name).read_bytes()
        assert packed[4:8] == bytes(4)  # gzip's time stamp
    assert read_table(tmp_path / "b").content_hash == table.content_hash


def test_a_damaged_table_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no readable MONDO table"):
        read_table(tmp_path)
    (tmp_path / mondo_table.TABLE).write_bytes(gzip.compress(b"wrong\n"))
    (tmp_path / mondo_table.AMBIGUOUS).write_bytes(gzip.compress(b""))
    with pytest.raises(ValueError, match="expected the header"):
        read_table(tmp_path)


def test_the_shipped_table_is_small_and_whole():
    table = mondo_table.shipped()
    assert table.classes["MONDO:0007947"].label == "Marfan syndrome"
    assert table.by_xref["OMIM:154700"] == ["MONDO:0007947"]
    assert len(table.by_xref["ORPHA:558"]) == 2  # the ambiguous one that FACTS warns of
    assert len(table.ambiguous) == 1_932
    files = list(mondo_table._DATA.iterdir())
    assert sum(file.stat().st_size for file in files) < 1_000_000
    parents = {p for entry in table.classes.values() for p in entry.parents}
    assert parents <= set(table.classes)


def test_another_table_than_the_released_one_is_refused(tmp_path, monkeypatch):
    write_table(mondo_table.MondoTable([MondoClass("MONDO:1", "disease")]), tmp_path)
    monkeypatch.setattr(mondo_table, "_DATA", tmp_path)
    with pytest.raises(ValueError, match="is not CONTENT_HASH in mondo_table.py"):
        mondo_table.shipped.__wrapped__()
