"""Arrays and objects larger than the window."""

import json

import pytest

from medr_jax.retrieval.sources import json_stream
from medr_jax.retrieval.sources.base import Skipped


@pytest.fixture(autouse=True)
def small_window(monkeypatch):
    monkeypatch.setattr(json_stream, "_CHUNK_BYTES", 50)


def test_elements_longer_than_a_chunk(write):
    # Multi-byte characters are cut by chunks; brackets and commas inside of strings are text.
    records = [{"text": 'µ]},[{"' * n, "n": n} for n in range(60)]
    text = json.dumps({"studies": records}, ensure_ascii=False, indent=1)
    skipped = Skipped()
    found = [e for _, e in json_stream.elements(write("a.json", text), "studies", skipped)]
    assert (found, skipped.count) == (records, 0)


@pytest.mark.parametrize("value", [{}, {"a": 1}, {str(n): ["x" * n, n] for n in range(80)}])
def test_members(write, value):
    skipped = Skipped()
    found = {k: v for _, k, v in json_stream.members(write("a.json", value), skipped)}
    assert (found, skipped.count) == (value, 0)


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', '{"a":1', "[1]", '{"a":1,"b":tru}', "null"])
def test_broken_objects_are_named(write, text):
    skipped = Skipped()
    list(json_stream.members(write("a.json", text), skipped))
    assert skipped.count == 1


def test_a_number_at_the_edge_of_a_chunk_is_whole(write):
    numbers = [10**20 + n for n in range(40)]
    found = [e for _, e in json_stream.elements(write("a.json", numbers), "x", Skipped())]
    assert found == numbers


def test_a_broken_array_gives_what_stands_before(write):
    text = '{"studies": [{"a": 1}, {"a": 2}, {"a": '
    skipped = Skipped()
    found = list(json_stream.elements(write("a.json", text), "studies", skipped))
    assert [element for _, element in found] == [{"a": 1}, {"a": 2}]
    assert skipped.named[0].where == "a.json: after record 2"


def test_no_json_does_not_fill_the_memory(write, monkeypatch):
    monkeypatch.setattr(json_stream, "MAX_ELEMENT_CHARS", 500)
    skipped = Skipped()
    assert list(json_stream.elements(write("a.json", '[{"a": "' + "x" * 5000), "x", skipped)) == []
    assert "a record above 500 characters" in skipped.named[0].reason
