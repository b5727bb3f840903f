"""A tool's JSON schema from the signature of what it calls."""

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec


def parameters_of(
    function: Callable, limits: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """JSON schema of a function's arguments, written as ``Annotated[type, msgspec.Meta(...)]``.

    Arguments without a default are required. ``limits`` adds what is only known at run time, as
    ``{"kind": {"enum": [...]}}``.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    properties, required = {}, []
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self":
            continue
        properties[name] = msgspec.json.schema(hints[name]) | dict((limits or {}).get(name, {}))
        if parameter.default is inspect.Parameter.empty:
            required.append(name)
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
