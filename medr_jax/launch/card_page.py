"""The data card as a page, beside the Markdown and the JSON that synthesis writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medr_jax import jsonl
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval.examples import trajectory_view
from medr_jax.pages import render
from medr_jax.pages.views import (
    BarView,
    CardView,
    DistributionView,
    Headline,
    RolloutView,
)
from medr_jax.questions.config import SPLITS
from medr_jax.trajectories import flaws
from medr_jax.types import Status, Trajectory

PAGE = "card.html"
_NUM_EXAMPLES = 4
_BY_SPLIT = (
    ("hops", "Hops", ""),
    ("specialties", "Specialties", "A question may have several."),
    ("answer_kinds", "Answer kinds", ""),
    ("tool_calls", "Tool calls", "Calls of a trajectory."),
    ("forms", "Forms", "Exploration trajectories were perturbed on purpose."),
    ("flaws", "Flaws", "Trajectories with the flaw; each is labelled with its turn."),
)
_REASONS = (
    ("rejections", "Rejected questions", "Questions without a trajectory, with reasons."),
    ("drafts_rejected", "Rejected drafts", "Drafts that did not become questions, with reasons."),
)


def write_card_page(folder: Path) -> Path:
    """Writes card.html from the card.json and the dataset of a synthesis folder."""
    (card,) = jsonl.read(folder / "card.json", dict)
    made = card["splits"]
    splits = {split: made[split] for split in SPLITS if made[split]["trajectories"]}
    distributions = [
        _distribution(field, title, lead, {s: c.get(field, {}) for s, c in splits.items()})
        for field, title, lead in _BY_SPLIT
    ]
    distributions += [
        _distribution(field, title, lead, {split: card[field].get(split, {}) for split in splits})
        for field, title, lead in _REASONS
    ]
    view = CardView(
        title="Data card",
        lead="Verified questions over a medical knowledge graph, and how the scripted expert "
        "answers each of them with real tools.",
        caveats=[
            card["statement"],
            "No clinician has reviewed it.",
            *_absent(card["facts"]),
        ],
        headlines=_headlines(splits),
        distributions=[one for one in distributions if one.bars],
        rollouts=_examples(folder / "dataset", splits),
        facts=_facts(card),
    )
    path = folder / PAGE
    page = render.render("card.html.j2", page=view)
    path.write_text(page, encoding="utf-8", errors="replace")
    return path


def _absent(facts: Mapping[str, Any]) -> list[str]:
    missing = facts.get("not_covered", ())
    return [f"Absent from its sources: {', '.join(missing)}."] if missing else []


def _headlines(splits: Mapping[str, Mapping[str, Any]]) -> list[Headline]:
    total = sum(counts["trajectories"] for counts in splits.values())
    calls = sum(counts["trajectories"] * counts["mean_tool_calls"] for counts in splits.values())
    specialties: dict[str, int] = {}
    explored = 0
    for counts in splits.values():
        for name, count in counts["specialties"].items():
            specialties[name] = specialties.get(name, 0) + count
        explored += counts.get("forms", {}).get("exploration", 0)
    by_split = ", ".join(f"{counts['trajectories']:,} {name}" for name, counts in splits.items())
    shown = [
        Headline(value=f"{total:,}", label="verified trajectories", detail=by_split),
        Headline(
            value=f"{calls / max(1, total):.2f}", label="tool calls on average", detail="all splits"
        ),
    ]
    if specialties:
        least = min(specialties, key=lambda name: (specialties[name], name))
        detail = f"the smallest, {_spaced(least)}, has {specialties[least]:,}"
        value = str(len(specialties))
        shown.append(Headline(value=value, label="specialties", detail=detail))
    if explored:
        detail = f"{total - explored:,} guided"
        shown.append(Headline(value=f"{explored:,}", label="exploration", detail=detail))
    return shown


def _distribution(
    field: str, title: str, lead: str, by_split: Mapping[str, Mapping[str, int]]
) -> DistributionView:
    totals: dict[str, int] = {}
    for counts in by_split.values():
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
    if all(name.isdigit() for name in totals):
        names = sorted(totals, key=int)
    else:
        names = sorted(totals, key=lambda name: (-totals[name], name))
    longest = max(totals.values(), default=0)
    bars = [
        BarView(
            label=_spaced(name),
            share=round(100 * totals[name] / longest, 2),
            cells=[
                f"{totals[name]:,}",
                *(f"{counts.get(name, 0):,}" for counts in by_split.values()),
            ],
        )
        for name in names
    ]
    anchor = field.replace("_", "-")
    columns = ["all", *by_split]
    return DistributionView(anchor=anchor, title=title, lead=lead, columns=columns, bars=bars)


def _examples(dataset: Path, splits: Mapping[str, Any]) -> list[RolloutView]:
    """Trajectories at even distances over the largest split, half of them explored if any are."""
    largest = max(splits, key=lambda split: splits[split]["trajectories"])
    groups: dict[str, list[Trajectory]] = {}
    for row in read_trajectories(dataset, largest):
        groups.setdefault(row.form, []).append(row)
    each = _NUM_EXAMPLES // len(groups)
    return [_view(row) for form in sorted(groups) for row in _spread(groups[form], each)]


def _spread(rows: Sequence[Trajectory], count: int) -> Sequence[Trajectory]:
    step = max(1, len(rows) // count)
    return rows[step // 2 :: step][:count]


def _view(row: Trajectory) -> RolloutView:
    kinds = [flaw for flaw, _ in flaws.labelled(row)]
    named = ", ".join(f"{_spaced(kind)}" for kind in dict.fromkeys(kinds))
    verdict = f"{row.form}: {named}" if named else row.form
    right = row.status is Status.OK and flaws.Flaw.PREMATURE_ANSWER not in kinds
    return trajectory_view(row, verdict=verdict, right=right, agent=row.policy)


def _facts(card: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    facts = dict(card["facts"])
    licences = facts.pop("licences", ())
    return {
        "Made from": {_spaced(name): _plain(value) for name, value in facts.items()},
        "Licences": {str(n): licence for n, licence in enumerate(licences, start=1)},
        "Shared between the splits all the same": {
            _spaced(name): _plain(value) for name, value in card["shared"].items()
        },
    }


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _spaced(name: str) -> str:
    return str(name).replace("_", " ")
