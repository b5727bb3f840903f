"""Filters that work without a script: a radio button for each value, and rules that hide."""

import collections
from collections.abc import Iterable, Mapping, Sequence

from medr_jax.pages.views import FilterView

Filters = Mapping[str, Sequence[FilterView]]
"""Title -> its values."""


def filter_views(values: Mapping[str, Iterable[str]]) -> dict[str, list[FilterView]]:
    """Every value that occurs under each title, with how often it does.

    Keys are numbered, so that no text gets into a style sheet. Sorted: numbers by size, then
    the rest.
    """
    counts = {title: collections.Counter(found) for title, found in values.items()}
    return {
        title: [
            FilterView(key=f"f{group}v{number}", label=label, count=found[label])
            for number, label in enumerate(sorted(found, key=_order))
        ]
        for group, (title, found) in enumerate(counts.items(), start=1)
    }


def keys_of(filters: Filters, values: Mapping[str, Iterable[str]]) -> list[str]:
    """The keys of one item's values."""
    keys = {(title, one.label): one.key for title, found in filters.items() for one in found}
    return [keys[title, value] for title, found in values.items() for value in found]


def filter_style(filters: Filters, item: str, holder: str = "") -> str:
    """Hides what the chosen value leaves out; ``item`` is the class of what has keys.

    ``holder``: the class of what holds items, hidden where none of its own is left.
    """
    rules = []
    for one in (view for views in filters.values() for view in views):
        chosen = f"body:has(#{one.key}:checked)"
        rules.append(f"{chosen} .{item}:not(.{one.key}) {{ display: none; }}\n")
        if holder:
            rules.append(f"{chosen} .{holder}:not(:has(.{one.key})) {{ display: none; }}\n")
    return "".join(rules)


def _order(label: str) -> tuple[bool, int, str]:
    number = int(label) if label.isdecimal() else 0
    return not label.isdecimal(), number, label
