import pytest

from medr_jax import jsonl
from medr_jax.types import Hit


def test_round_trip_and_canonical_bytes(tmp_path):
    hits = [Hit(doc_id="a", title="β-blocker\u2028"), Hit(doc_id="b", title="x", label=2)]
    assert jsonl.write(tmp_path / "hits.jsonl", hits) == 2
    assert list(jsonl.read(tmp_path / "hits.jsonl", Hit)) == hits
    assert jsonl.encode({"b": 1, "a": 2}) == b'{"a":2,"b":1}'


def test_error_names_file_line_and_field(tmp_path):
    path = tmp_path / "hits.jsonl"
    path.write_text('{"doc_id":"a","title":"t"}\n\n{"doc_id":1,"title":"t"}\n')
    with pytest.raises(ValueError, match=r"hits\.jsonl:3.*doc_id"):
        list(jsonl.read(path, Hit))
    path.write_bytes(b'{"doc_id":"a\xff","title":"t"}\n')
    with pytest.raises(ValueError, match=r"hits\.jsonl:1"):
        list(jsonl.read(path, Hit))


def test_unknown_field_is_refused(tmp_path):
    with pytest.raises(ValueError, match="titel"):
        jsonl.decode('{"doc_id":"a","title":"t","titel":"x"}', Hit)


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "hits.jsonl"
    jsonl.write(path, [Hit(doc_id="old", title="t")])

    def broken():
        yield Hit(doc_id="new", title="t")
        raise RuntimeError("source failed")

    with pytest.raises(RuntimeError):
        jsonl.write(path, broken())
    assert [hit.doc_id for hit in jsonl.read(path, Hit)] == ["old"]


def test_content_hash_depends_on_order_and_content():
    one, two = Hit(doc_id="a", title="t"), Hit(doc_id="b", title="t")
    assert jsonl.content_hash([one, two]) == jsonl.content_hash([one, two])
    assert jsonl.content_hash([one, two]) != jsonl.content_hash([two, one])
