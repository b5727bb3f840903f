"""The data card: what a set of trajectories holds, counted, and what it must not be taken for."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from medr_jax.trajectories import flaws
from medr_jax.types import Trajectory, Turn

STATEMENT = (
    "Questions and documents come from one curated graph, so every answer is known to be in the "
    "index. The set teaches and measures navigation of a closed corpus; it says nothing about "
    "medical knowledge or clinical benefit. The graph states what was reported by its snapshot: "
    "what it does not state is unknown, not false."
)

_MAX_SHOWN = 240
"""Characters of a tool's text that an example prints."""


def make_card(
    trajectories_by_split: Mapping[str, Sequence[Trajectory]],
    *,
    rejections: Mapping[str, Mapping[str, int]],
    drafts_rejected: Mapping[str, Mapping[str, int]],
    shared: Mapping[str, Any],
    facts: Mapping[str, Any],
    num_words: Callable[[Trajectory], int],
    num_examples: int = 2,
) -> dict[str, Any]:
    """Everything the card says, as JSON values.

    ``rejections`` counts, per split, why questions have no trajectory, ``drafts_rejected`` why
    drafts did not become questions; ``shared`` is what splits have in common all the same,
    ``facts`` holds snapshot, licences, hashes and settings; ``num_words`` measures a trajectory.
    """
    examples = [
        trajectory
        for rows in trajectories_by_split.values()
        for trajectory in _spread(rows, num_examples)
    ]
    every = (row.form for rows in trajectories_by_split.values() for row in rows)
    several = any(form != "guided" for form in every)
    return {
        "statement": STATEMENT,
        "facts": dict(facts),
        "splits": {
            split: _counts(rows, num_words) | (_form_counts(rows) if several else {})
            for split, rows in trajectories_by_split.items()
        },
        "rejections": {split: dict(sorted(c.items())) for split, c in rejections.items()},
        "drafts_rejected": {split: dict(sorted(c.items())) for split, c in drafts_rejected.items()},
        "shared": dict(shared),
        "examples": [render_trajectory(trajectory) for trajectory in examples[:num_examples]],
    }


def render_card(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    splits = card["splits"]
    parts = ["# Data card", card["statement"], "## Origin", _facts_list(card["facts"])]
    parts += ["## Counts", _table("", {"trajectories": _column(splits, "trajectories")}, splits)]
    for title, field in (
        ("Hops", "hops"),
        ("Answer kinds", "answer_kinds"),
        ("Specialties (a trajectory may have several)", "specialties"),
        ("Tool calls of a trajectory", "tool_calls"),
    ):
        rows = {key: _column(splits, field, key) for key in _keys(splits, field)}
        parts += [f"## {title}", _table(title.split(" (")[0], rows, splits)]
    if any("forms" in counts for counts in splits.values()):
        parts += _exploration(splits)
    means = {name: _column(splits, name) for name in ("mean_tool_calls", "mean_words")}
    parts += ["## Means", _table("", means, splits)]
    for title, field in (
        ("Questions without a trajectory, with reasons", "rejections"),
        ("Drafts that did not become questions, with reasons", "drafts_rejected"),
    ):
        reasons = sorted({reason for counts in card[field].values() for reason in counts})
        rows = {
            reason: {split: counts.get(reason, 0) for split, counts in card[field].items()}
            for reason in reasons
        }
        parts += [f"## {title}", _table("Reason", rows, splits)]
    parts += ["## Shared between the splits all the same", _facts_list(card["shared"])]
    parts += ["## Examples", *(f"```text\n{example}\n```" for example in card["examples"])]
    return "\n\n".join(parts) + "\n"


def _exploration(splits: Mapping[str, Any]) -> list[str]:
    """Sections on trajectories that were perturbed on purpose, so that nobody learns it later."""
    forms = {key: _column(splits, "forms", key) for key in _keys(splits, "forms")}
    made = {key: _column(splits, "flaws", key) for key in _keys(splits, "flaws")}
    bad = {"with_a_mistake_that_stays": _column(splits, "share_with_mistakes")}
    return [
        "## Forms and flaws",
        "Exploration trajectories were perturbed on purpose; each flaw is labelled with its turn.",
        _table("Form", forms, splits),
        _table("Trajectories with the flaw", made, splits),
        "Premature answers and repeated searches are mistakes that stay in the demonstration:",
        _table("Share", bad, splits),
    ]


def render_trajectory(trajectory: Trajectory) -> str:
    """A trajectory as plain text for a person; long tool texts are cut."""
    question = trajectory.question
    lines = [
        f"Question ({question.num_hops} hops, {question.split}): {question.text}",
        f"Gold answer: {question.answer}",
    ]
    for turn in trajectory.turns:
        lines += ["", *_turn_lines(turn)]
    return "\n".join(lines).replace("```", "'''")


def _turn_lines(turn: Turn) -> Iterable[str]:
    if turn.thought:
        yield f"think   {turn.thought}"
    for call, result in zip(turn.calls, turn.results, strict=False):
        arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
        yield f"{call.name}  {arguments}"
        for hit in result.hits:
            yield f"  [{hit.label}] {hit.title}: {_cut(hit.snippet)}"
        if not result.hits:
            yield f"  {_cut(result.text)}"
    if turn.answer is not None:
        yield f"answer  {turn.answer.text}  (cites {', '.join(turn.answer.citations) or 'nothing'})"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]} ..."


def _spread(rows: Sequence[Trajectory], count: int) -> list[Trajectory]:
    """``count`` rows at even distances, so that examples differ."""
    step = max(1, len(rows) // count)
    return list(rows[step // 2 :: step])[:count]


def _counts(rows: Sequence[Trajectory], num_words: Callable[[Trajectory], int]) -> dict[str, Any]:
    questions = [trajectory.question for trajectory in rows]
    calls = [trajectory.num_tool_calls for trajectory in rows]
    lengths = [num_words(trajectory) for trajectory in rows]
    return {
        "trajectories": len(rows),
        "hops": _histogram(question.num_hops for question in questions),
        "answer_kinds": _histogram(str(question.answer_kind) for question in questions),
        "specialties": _histogram(name for question in questions for name in question.specialties),
        "tool_calls": _histogram(calls),
        "mean_tool_calls": round(sum(calls) / max(1, len(calls)), 3),
        "mean_words": round(sum(lengths) / max(1, len(lengths)), 1),
    }


def _form_counts(rows: Sequence[Trajectory]) -> dict[str, Any]:
    """Forms and flaws."""
    kinds = [{flaw for flaw, _ in flaws.labelled(trajectory)} for trajectory in rows]
    mistaken = sum(bool(kind & flaws.MISTAKES) for kind in kinds)
    return {
        "forms": _histogram(trajectory.form for trajectory in rows),
        "flaws": _histogram(str(flaw) for kind in kinds for flaw in kind),
        "share_with_mistakes": round(mistaken / max(1, len(rows)), 4),
    }


def _histogram(values: Iterable[Any]) -> dict[str, int]:
    return {str(value): count for value, count in sorted(Counter(values).items())}


def _keys(splits: Mapping[str, Any], field: str) -> list[str]:
    keys = {key for counts in splits.values() for key in counts.get(field, ())}
    return sorted(keys, key=lambda key: (int(key) if key.isdigit() else -1, key))


def _column(splits: Mapping[str, Any], field: str, key: str = "") -> dict[str, Any]:
    return {
        split: counts.get(field, {}).get(key, 0) if key else counts.get(field, 0)
        for split, counts in splits.items()
    }


def _table(title: str, rows: Mapping[str, Mapping[str, Any]], splits: Iterable[str]) -> str:
    if not rows:
        return "None."
    splits = list(splits)
    lines = [f"| {title} | {' | '.join(splits)} |", "|---" * (len(splits) + 1) + "|"]
    for name, cells in rows.items():
        values = " | ".join(_number(cells.get(split, 0)) for split in splits)
        lines.append(f"| {name.replace('_', ' ')} | {values} |")
    return "\n".join(lines)


def _number(value: float | int) -> str:
    return f"{value:,}"


def _facts_list(facts: Mapping[str, Any]) -> str:
    return "\n".join(
        f"- {name.replace('_', ' ')}: {_plain(value)}" for name, value in facts.items()
    )


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(map(_plain, value))
    return _number(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)
