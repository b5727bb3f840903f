"""What a tool is, and what calls to it are checked against."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from medr_jax.types import Hit, Record


class ToolOutput(Record):
    """What a tool found. ``text`` is for what is not a document."""

    hits: tuple[Hit, ...] = ()
    text: str = ""


class ToolError(Exception):
    """The tool refuses the arguments. The message is shown to the model: say what to change."""


class Tool(Protocol):
    """A named function with a description and a JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]

    def __call__(self, **arguments: Any) -> ToolOutput:
        """Raises ToolError for arguments that fit the schema and still cannot be served."""
        ...


_TYPES = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
}


def check_arguments(tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Compares arguments with the tool's schema.

    Knows ``type`` (not unions), ``enum``, ``minLength``, ``maxLength``, ``minimum``,
    ``maximum``, ``maxItems``, ``items`` and ``required``; arguments not in the schema are
    refused.

    Raises:
        ToolError: naming the argument and what is allowed.
    """
    properties = tool.parameters.get("properties", {})
    for name in arguments:
        if name not in properties:
            raise ToolError(f"{tool.name} has no argument {_short(name)}; {_usage(tool)}")
    for name in tool.parameters.get("required", ()):
        if name not in arguments:
            raise ToolError(f"{tool.name} needs the argument {name}; {_usage(tool)}")
    for name, value in arguments.items():
        problem = _problem(value, properties[name])
        if problem:
            raise ToolError(f"{tool.name}: {name} {problem}")


def _problem(value: Any, schema: Mapping[str, Any]) -> str:
    """Why the value does not fit, as the end of a sentence; "" when it does."""
    expected = schema.get("type", "string")
    # In Python a bool is an int; for a model it is not.
    misplaced_bool = isinstance(value, bool) and expected != "boolean"
    if misplaced_bool or not isinstance(value, _TYPES[expected]):
        return f"must be of type {expected}"
    if "enum" in schema and value not in schema["enum"]:
        allowed = ", ".join(json.dumps(choice) for choice in schema["enum"])
        return f"{_short(value)} is not one of {allowed}"
    if isinstance(value, str):
        return _length_problem(len(value), schema, "minLength", "maxLength", "characters")
    if isinstance(value, list | tuple):
        problem = _length_problem(len(value), schema, "minItems", "maxItems", "items")
        problems = (_problem(item, schema.get("items", {})) for item in value)
        return problem or next(filter(None, problems), "")
    if value < schema.get("minimum", value):
        return f"{value} is below {schema['minimum']}"
    if value > schema.get("maximum", value):
        return f"{value} is above {schema['maximum']}"
    return ""


def _length_problem(
    length: int, schema: Mapping[str, Any], least: str, most: str, unit: str
) -> str:
    if length < schema.get(least, 0):
        return f"is empty; at least {schema[least]} {unit} are needed"
    if length > schema.get(most, length):
        return f"has {length} {unit}; the most is {schema[most]}"
    return ""


def _usage(tool: Tool) -> str:
    required = tool.parameters.get("required", ())
    names = [
        f"{name} (required)" if name in required else name
        for name in tool.parameters.get("properties", {})
    ]
    return f"it takes {', '.join(names) or 'none'}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
