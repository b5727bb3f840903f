"""Arguments against a tool's schema."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medr_jax.tools.base import ToolError, ToolOutput, check_arguments


class Everything:
    name = "everything"
    description = "takes one of each"
    parameters = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": 1, "maxLength": 5},
            "mode": {"type": "string", "enum": ["", "fast"]},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "share": {"type": "number"},
            "flag": {"type": "boolean"},
            "names": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
        },
        "required": ["text"],
    }

    def __call__(self, **arguments) -> ToolOutput:
        return ToolOutput()


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "a"},
        {"text": "abcde", "mode": "fast", "count": 9, "share": 0.5, "flag": False, "names": []},
        {"text": "a", "share": 3, "names": ["abc", "d"]},
    ],
)
def test_what_fits_passes(arguments):
    check_arguments(Everything(), arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "everything needs the argument text; it takes text (required), mode, count"),
        ({"text": "a", "q": 1}, 'everything has no argument "q"; it takes text (required)'),
        ({"text": 5}, "text must be of type string"),
        ({"text": ""}, "text is empty; at least 1 characters are needed"),
        ({"text": "abcdef"}, "text has 6 characters; the most is 5"),
        ({"text": "a", "mode": "slow"}, 'mode "slow" is not one of "", "fast"'),
        ({"text": "a", "count": 0}, "count 0 is below 1"),
        ({"text": "a", "count": 10}, "count 10 is above 9"),
        ({"text": "a", "count": "3"}, "count must be of type integer"),
        # bool is a subclass of int: True would pass for 1, False for 0.
        ({"text": "a", "count": True}, "count must be of type integer"),
        ({"text": "a", "share": False}, "share must be of type number"),
        ({"text": "a", "flag": 1}, "flag must be of type boolean"),
        ({"text": "a", "names": "abc"}, "names must be of type array"),
        ({"text": "a", "names": ["a", "b", "c"]}, "names has 3 items; the most is 2"),
        ({"text": "a", "names": ["abcd"]}, "names has 4 characters; the most is 3"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_hint(arguments, message):
    with pytest.raises(ToolError, match=re.escape(message)):
        check_arguments(Everything(), arguments)


def test_messages_stay_short_and_plain_whatever_the_value():
    with pytest.raises(ToolError) as raised:
        check_arguments(Everything(), {"text": "a", "mode": "\ud800\x00" * 100_000})
    assert len(str(raised.value)) < 150
    assert str(raised.value).isascii()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["text", "mode", "count", "names", "x"]), json_values))
def test_any_arguments_pass_or_are_refused(arguments):
    try:
        check_arguments(Everything(), arguments)
    except ToolError as error:
        assert str(error).startswith("everything")
