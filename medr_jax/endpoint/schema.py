"""JSON schemas as msgspec types, which check what an endpoint says fits them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

_SCALARS = {"string": str, "integer": int, "number": float, "boolean": bool, "null": type(None)}
_LIMITS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_length",
    "maxItems": "max_length",
    "minimum": "ge",
    "maximum": "le",
    "pattern": "pattern",
}
_NOTES = {"description", "title", "default", "examples"}


def type_of(schema: Mapping[str, Any], name: str = "Answer") -> Any:
    """The msgspec type of a JSON schema.

    Knows objects, arrays, the scalar types, unions of types as a list, ``enum``, lengths and
    ranges. Objects take no properties but the ones named, as strict structured output has it.

    Raises:
        ValueError: the schema uses something else.
    """
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    kind = schema.get("type")
    if isinstance(kind, list):
        members = [type_of({**schema, "type": one}, name) for one in kind]
        union = members[0]
        for member in members[1:]:
            union |= member
        return union
    known = {"type", *_NOTES}
    if kind == "object":
        known |= {"properties", "required", "additionalProperties"}
        found: Any = _object(schema, name)
    elif kind == "array":
        known |= {"items", "minItems", "maxItems"}
        found = list[type_of(schema["items"], f"{name}Item")]
    elif kind in _SCALARS:
        known |= set(_LIMITS)
        found = _SCALARS[kind]
    else:
        raise ValueError(f"schema {name}: type {kind!r} is not supported")
    if unknown := sorted(schema.keys() - known):
        raise ValueError(f"schema {name}: {unknown} are not supported for {kind}")
    limits = {ours: schema[theirs] for theirs, ours in _LIMITS.items() if theirs in schema}
    return Annotated[found, msgspec.Meta(**limits)] if limits else found


def _object(schema: Mapping[str, Any], name: str) -> type:
    required = set(schema.get("required", ()))
    fields: list[tuple] = []
    for field, inner in schema.get("properties", {}).items():
        found = type_of(inner, f"{name}_{field}")
        if field in required:
            fields.append((field, found))
        else:
            fields.append((field, found | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def read(text: str, wanted: Any) -> dict[str, Any]:
    """The whole of ``text`` as JSON of the type ``wanted``.

    Raises:
        ValueError: it is not JSON, or does not fit; says where.
    """
    try:
        return msgspec.to_builtins(msgspec.json.decode(text, type=wanted))
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise ValueError(str(problem)) from None
