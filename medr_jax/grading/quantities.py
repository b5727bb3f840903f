"""Numbers with their units, exactly: "0.5 mg" and "500 mcg" read as the same token."""

import re
from collections.abc import Iterator
from fractions import Fraction

from medr_jax.grading import units

# Bounded: an answer such as "1e999999999" must not become an integer of a gigabyte.
_NUMBER = (
    r"(?:\d{1,3}(?:,\d{3}){1,9}(?!\d)(?:\.\d{1,30})?|\d{1,30}(?:\.\d{1,30})?|\.\d{1,30})"
    r"(?:\s?[x×*·]\s?10\s?\^\s?[-+]?\d{1,3}|[eE][-+]?\d{1,3}|\^[-+]?\d{1,3})?"
)
_UNIT = rf"(?:\s*(?P<unit>{units.EXPRESSION})|-(?P<joined>(?i:[a-z%]{{2,}})(?![^\W_])))"
# What must not follow a number, or it is a word such as "2A", "5q" or "1st".
_END = r"(?![^\W_]|\.\d)"

_QUANTITY = re.compile(
    rf"(?P<sign>(?<![^\s(\[<>=≤≥±])[-+])?(?P<number>{_NUMBER})"
    rf"(?:\s*(?:-|\bto\b)\s*(?P<high>{_NUMBER})"
    rf"|\s*(?:/|:(?=\d)|\bout of\b|\bof\b|\bin\b)\s*(?P<part>{_NUMBER}))?"
    rf"(?:{_UNIT}|{_END})"
)
_BARE = re.compile(rf"(?P<number>{_NUMBER}){_END}")
_RANGE_DASH = re.compile(r"\s*-\s*(?=\d)")
_DECIMAL_COMMA = re.compile(rf"(?<![\d.,])(\d+),(\d{{1,2}})(?=\s*{units.EXPRESSION})")
_DECADE = re.compile(r"\d{3}0s\b")
_JOINED_UNITS = re.compile(rf"{units.EXPRESSION}\Z")

_TO_NINETEEN = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
)
_ONES = _TO_NINETEEN.split()
_TO_NINETY = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {name: 10 * ten for ten, name in enumerate(_TO_NINETY.split(), start=2)}
_ORDINALS = {
    name: f"{number}{ending}"
    for number, (name, ending) in enumerate(
        (
            ("first", "st"), ("second", "nd"), ("third", "rd"), ("fourth", "th"), ("fifth", "th"),
            ("sixth", "th"), ("seventh", "th"), ("eighth", "th"), ("ninth", "th"), ("tenth", "th"),
        ),
        start=1,
    )
}  # fmt: skip
_PARTS = {"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
_FRACTION = re.compile(
    rf"\b(?P<above>one|two|three|four|five)[ -](?P<below>{'|'.join(_PARTS)})s?\b", re.I
)
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_SCALED = re.compile(rf"(?<![\w.,])(\d{{1,6}}(?:\.\d{{1,6}})?)\s+({'|'.join(_SCALES)})\b", re.I)
_SPACED = re.compile(r"(?<![\w.,])\d{1,3}(?:[ \u00a0\u202f]\d{3}){1,4}(?![\d,]|\.\d{3})")
_IN_WORDS = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[- ](?P<ones>{'|'.join(_ONES[1:10])}))?"
    rf"|(?P<small>{'|'.join(_ONES)})|(?<!\d[ -])(?<!per )(?P<ordinal>{'|'.join(_ORDINALS)}))\b",
    re.I,
)


def with_digits(text: str) -> str:
    """Numbers in words as digits ("forty-two" -> "42", "two thirds" -> "2/3"), ordinals too,
    spaces between thousands left out, decimal commas as points.

    A comma is a decimal one only before a unit: "1,5 mg", but not "1,500 mg" or "types 1,5".
    """
    text = _SCALED.sub(lambda found: str(Fraction(found[1]) * _SCALES[found[2].lower()]), text)
    text = _FRACTION.sub(_share, _SPACED.sub(lambda found: re.sub(r"\s", "", found[0]), text))
    return _DECIMAL_COMMA.sub(r"\1.\2", _IN_WORDS.sub(_digits, text))


def _share(found: re.Match[str]) -> str:
    return f"{_ONES.index(found['above'].lower())}/{_PARTS[found['below'].lower()]}"


def _digits(found: re.Match[str]) -> str:
    if found["ordinal"]:
        return _ORDINALS[found["ordinal"].lower()]
    if found["small"]:
        return str(_ONES.index(found["small"].lower()))
    return str(_TENS[found["tens"].lower()] + (_ONES.index((found["ones"] or "zero").lower())))


def match_at(text: str, position: int) -> tuple[list[str], int] | None:
    """(tokens, end) of the number, range or share that starts at ``position``, if one does.

    A number without a unit is a plain token: "42". With a unit it carries its dimensions and
    the exact value in base units: "1/2000 mass". A range is its two ends around "to", each
    with the unit; a share ("14/15", "14 of 15") is one token and is never reduced.
    """
    if text[position] not in "0123456789.+-" or _DECADE.match(text, position):
        return None
    found = _QUANTITY.match(text, position)
    if found is None or (found["joined"] and not _JOINED_UNITS.match(found["joined"])):
        found = _BARE.match(text, position)
        return ([_plain(found["number"])], found.end()) if found else None
    unit_text = found["unit"] or found["joined"]
    unit = units.parse(unit_text) if unit_text else None
    end = found.start("unit") if unit_text and unit is None else found.end()
    tokens = list(_tokens(found, unit))
    if unit and not found["high"] and (dash := _RANGE_DASH.match(text, end)):
        return [*tokens, "to"], dash.end()  # "5 mg - 10 mg"
    return tokens, end


def _tokens(found: re.Match[str], unit: units.Unit | None) -> Iterator[str]:
    value = _value(found["number"]) * (-1 if found["sign"] == "-" else 1)
    if found["part"]:
        yield _token(value, unit) + ":" + _token(_value(found["part"]), unit)
        return
    yield _token(value, unit)
    if found["high"]:
        yield "to"
        yield _token(_value(found["high"]), unit)


def _token(value: Fraction, unit: units.Unit | None) -> str:
    if unit is None or not (unit.above or unit.below):
        return str(value * (unit.factor if unit else 1))
    if unit.above == ("degree Fahrenheit",):
        value, unit = (value - 32) * Fraction(5, 9), unit._replace(above=("degree Celsius",))
    return f"{value * unit.factor} {'*'.join(unit.above)}/{'*'.join(unit.below)}"


def _plain(number: str) -> str:
    return str(_value(number))


def _value(number: str) -> Fraction:
    number = number.replace(",", "").replace(" ", "")
    base, _, exponent = re.sub(r"[x×*·]10\^", "e", number).partition("^")
    return Fraction(base) ** int(exponent) if exponent else Fraction(base)


def has_unit(token: str) -> bool:
    """Whether the token is a quantity with a unit."""
    return "/" in token and " " in token


def is_number(token: str) -> bool:
    """Whether the token is a number without a unit, or a share of such numbers."""
    return re.fullmatch(r"-?\d+(?:/\d+)?(?::\d+(?:/\d+)?)?", token) is not None
