import pytest

from medr_jax.endpoint import schema as schemas

SCHEMA = {
    "type": "object",
    "description": "noted, not checked",
    "properties": {
        "text": {"type": "string", "minLength": 1},
        "citations": {"type": "array", "items": {"type": "integer", "minimum": 1}, "maxItems": 2},
        "grade": {"enum": ["A", "B"]},
        "note": {"type": ["string", "null"]},
        "inner": {"type": "object", "properties": {"share": {"type": "number"}}},
    },
    "required": ["text", "citations"],
    "additionalProperties": False,
}
WANTED = schemas.type_of(SCHEMA)


def test_what_fits_comes_back_as_it_was():
    for text in (
        '{"text": "FBN1", "citations": [1, 2]}',
        ' {"text": "x", "citations": [], "grade": "A", "note": null, "inner": {"share": 0.5}}\n',
    ):
        import json

        assert schemas.read(text, WANTED) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"text": "", "citations": []}', "length"),
        ('{"text": "x", "citations": [0]}', ">= 1"),
        ('{"text": "x", "citations": [1, 1, 1]}', "length"),
        ('{"text": "x", "citations": ["1"]}', "citations"),
        ('{"text": "x"}', "citations"),
        ('{"text": "x", "citations": [], "extra": 1}', "extra"),
        ('{"text": "x", "citations": [], "grade": "C"}', "grade"),
        ('```json\n{"text": "x", "citations": []}\n```', "malformed"),
        ('{"text": "x", "citations": []} and more', "malformed|trailing"),
        ('{"text": "x", "citations": [', "truncated"),
        ("[" * 100_000, "recursion|depth|nest|object"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(text, said):
    with pytest.raises(ValueError, match=said):
        schemas.read(text, WANTED)


def test_a_schema_that_cannot_be_checked_is_refused():
    with pytest.raises(ValueError, match="anyOf|None"):
        schemas.type_of({"anyOf": []})
    with pytest.raises(ValueError, match="format"):
        schemas.type_of({"type": "string", "format": "date"})
