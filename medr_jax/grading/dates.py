"""Dates in several spellings, with the precision they were given in."""

import re
from typing import NamedTuple

_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name[:3]: number for number, name in enumerate(_NAMES.split(), start=1)}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY, _YEAR = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>(?:1[5-9]|20)\d{2})"
_CLOCK = r"(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_WORDS = frozenset(_MONTHS) | {"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
_PATTERNS = [
    re.compile(rf"{_WEEKDAY}{pattern}{_CLOCK}(?![^\W_])", re.I)
    for pattern in (
        rf"{_YEAR}(?P<mark>[-/.])(?P<number>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}})",
        rf"{_DAY}(?:\s+of)?[\s-]+{_MONTH},?[\s-]+{_YEAR}",
        rf"{_MONTH}\s+{_DAY},?\s+{_YEAR}",
        rf"{_YEAR},?[\s-]+{_MONTH}[\s-]+{_DAY}",
        rf"{_MONTH}[,\s-]+(?:of\s+)?{_YEAR}",
        rf"{_YEAR},?[\s-]+{_MONTH}",
        rf"{_YEAR}-(?P<number>\d{{2}})(?!-)",
        rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark){_YEAR}",
    )
]
_BARE_YEAR = re.compile(r"(?:1[5-9]|20)\d{2}")
_CLOSING = re.compile(
    r"(?P<before>[^.;]{1,120}?)\s(?:on|in)\s+(?P<date>(?:the\s+year\s+)?[A-Za-z]{0,9}[\s.]*\d[^()]{2,28})$",
    re.I,
)
_PREPOSITION = re.compile(r"(?:(?:on|in)\s+)?(?:(?:the\s+)?year\s+)?", re.I)


class Date(NamedTuple):
    """A day, a month or a year. ``ambiguous`` holds "3/4/2020", which has two readings."""

    year: int
    month: int = 0
    day: int = 0
    ambiguous: str = ""

    @property
    def token(self) -> str:
        """The date as one word; two dates of equal precision are equal when their tokens are."""
        if self.ambiguous:
            return f"date {self.ambiguous}"
        parts = (
            f"{self.year:04d}",
            self.month and f"{self.month:02d}",
            self.day and f"{self.day:02d}",
        )
        return "date " + "-".join(part for part in parts if part)

    def states(self, gold: "Date") -> bool:
        """Whether this date says at least what ``gold`` says.

        "4 March 2020" states "March 2020" and not the other way round.
        """
        if self.ambiguous or gold.ambiguous:
            return self == gold
        return all(mine == asked for mine, asked in zip(self[:3], gold[:3], strict=True) if asked)


def match_at(text: str, position: int) -> tuple[Date, int] | None:
    """(date, end) of the date that starts at ``position``, if one does; bare years do not."""
    start = text[position : position + 3].lower()
    if not (start[:1].isdigit() or start in _WORDS):
        return None
    for pattern in _PATTERNS:
        if (found := pattern.match(text, position)) and (date := _date(found.groupdict())):
            return date, found.end()
    return None


def parse(text: str) -> Date | None:
    """The date that ``text`` is as a whole, a bare year included; None for anything else."""
    text = text.strip().rstrip(".")
    if start := _PREPOSITION.match(text):
        text = text[start.end() :]
    if _BARE_YEAR.fullmatch(text):
        return Date(int(text))
    found = match_at(text, 0)
    return found[0] if found and found[1] == len(text) else None


def closing(text: str) -> Date | None:
    """The date of "The patent expires on Aug 24, 2026": the only one, behind "on" or "in"."""
    found = _CLOSING.match(text.strip().rstrip("."))
    if not found or any(match_at(found["before"], place) for place in range(len(found["before"]))):
        return None
    return parse(found["date"])


def _date(parts: dict[str, str | None]) -> Date | None:
    year = int(parts["year"] or 0)
    if parts.get("first"):
        return _numeric(year, int(parts["first"] or 0), int(parts["second"] or 0))
    month = _MONTHS[parts["month"][:3].lower()] if parts.get("month") else int(parts["number"] or 0)
    return _valid(year, month, int(parts.get("day") or 0))


def _numeric(year: int, first: int, second: int) -> Date | None:
    """ "25/12/2020" has one reading, "03/04/2020" two and "04/04/2020" one again."""
    if first == second or max(first, second) > 12:
        return _valid(year, min(first, second), max(first, second))
    return Date(year, ambiguous=f"{first}/{second}/{year}")


def _valid(year: int, month: int, day: int) -> Date | None:
    return Date(year, month, day) if 1 <= month <= 12 and 0 <= day <= 31 else None
