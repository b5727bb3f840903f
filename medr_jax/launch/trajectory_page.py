"""The rollouts of an RL run as a page: groups side by side, every token, every reward term."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medr_jax.eval.examples import trajectory_view
from medr_jax.launch.record import LINKS
from medr_jax.pages.filters import Filters, filter_style, filter_views, keys_of
from medr_jax.pages.render import render, shipped_style
from medr_jax.pages.views import GroupView, SampleView, TokenView, TrajectoriesView
from medr_jax.rl.replay import dump_paths
from medr_jax.rl.rollout import Rollout, read_dump
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Status

PAGE = "trajectories.html"
ROLLOUTS, TOKENIZER = "rollouts.jsonl", "tokenizer"

GAP = 1e-3
"""Nats between sampler and trainer from which on a token is marked."""

LOOKS = (("sure", 0.9), ("likely", 0.5), ("unsure", 0.1), ("unlikely", 0.0))
"""Class of a sampled token, and the least probability that has it."""

STEP, GROUP, RESULT, STATUS = "Iteration", "Group", "Result", "Status"


class Source(NamedTuple):
    """Where rollouts lie, and what their tokens are written with."""

    dumps: tuple[Path, ...]
    tokenizer: Tokenizer
    folder: Path


def find(path: Path) -> Source:
    """The dumps of a run: its artifact's folder, its run directory, or one dump in either.

    Raises:
        ValueError: there are none, or no tokenizer beside them; says what to do.
    """
    if path.is_file():
        dumps, folder = (path,), _with_tokenizer((path.parent, path.parent.parent), path)
    else:
        places = [place for place in (path, _linked(path)) if place is not None]
        dumps = tuple(dump for place in places for dump in _dumps(place))
        if not dumps:
            raise ValueError(
                f"{path}: no dumped rollouts; run rl with rl.dump_every=1, or sample_only=true"
            )
        folder = _with_tokenizer(places, path)
    return Source(dumps, Tokenizer.load(folder / TOKENIZER), folder)


def write_page(
    source: Source, out: Path, *, iterations: Sequence[int] = (), num_groups: int = 8
) -> Path:
    """Writes the page of the first ``num_groups`` groups of each dump; returns its path.

    ``iterations`` names the dumps to show; empty = the first and the last.

    Raises:
        ValueError: such an iteration was not dumped.
    """
    groups = list(_groups(_chosen(source.dumps, iterations), num_groups))
    filters = _filters(groups)
    shown = [_group(step, group, filters, source.tokenizer) for step, group in groups]
    page = TrajectoriesView(
        title="Rollouts of a policy",
        lead=f"{len(groups)} groups of the same question each, side by side: what the policy "
        "wrote, what the tools said, and what each rollout was worth.",
        filters=filters,
        legend=_legend(),
        groups=shown,
        facts={"Rollouts": _facts(source, groups)},
    )
    style = shipped_style("trajectories.css")
    style += filter_style({name: filters[name] for name in (STEP, GROUP)}, "group")
    style += filter_style({name: filters[name] for name in (RESULT, STATUS)}, "sample", "group")
    out.parent.mkdir(parents=True, exist_ok=True)
    text = render("trajectories.html.j2", extra_style=style, page=page)
    out.write_text(text, encoding="utf-8")
    return out


def _linked(run_dir: Path) -> Path | None:
    links = run_dir / LINKS
    if not links.is_file():
        return None
    found = json.loads(links.read_text(encoding="utf-8")).get("rl")
    return Path(found["path"]) if found else None


def _dumps(folder: Path) -> list[Path]:
    single = folder / ROLLOUTS
    return [single] if single.is_file() else dump_paths(folder)


def _with_tokenizer(places: Iterable[Path], asked: Path) -> Path:
    for place in places:
        if (place / TOKENIZER).is_dir():
            return place
    raise ValueError(
        f"{asked}: no tokenizer beside the rollouts; name the folder of the run that dumped them"
    )


def _chosen(dumps: Sequence[Path], iterations: Sequence[int]) -> list[tuple[int, Path]]:
    numbered = {int(path.stem) if path.stem.isdigit() else 0: path for path in dumps}
    if missing := sorted(set(iterations) - numbered.keys()):
        raise ValueError(f"iterations {missing} were not dumped; there are {sorted(numbered)}")
    wanted = sorted(set(iterations)) or sorted({min(numbered), max(numbered)})
    return [(number, numbered[number]) for number in wanted]


def _groups(dumps: Sequence[tuple[int, Path]], most: int) -> Iterator[tuple[int, list[Rollout]]]:
    for number, path in dumps:
        by_id: dict[str, list[Rollout]] = {}
        for rollout in read_dump(path):
            by_id.setdefault(rollout.group_id, []).append(rollout)
        for group in list(by_id.values())[:most]:
            yield number, group


def _result(rollout: Rollout) -> str:
    return "right" if rollout.terms is not None and rollout.terms.right else "wrong"


def _filters(groups: Sequence[tuple[int, Sequence[Rollout]]]) -> Filters:
    rollouts = [rollout for _, group in groups for rollout in group]
    return filter_views(
        {
            STEP: [str(number) for number, _ in groups],
            GROUP: [group[0].group_id for _, group in groups],
            RESULT: map(_result, rollouts),
            STATUS: [rollout.trajectory.status.value for rollout in rollouts],
        }
    )


def _group(
    number: int, group: Sequence[Rollout], filters: Filters, tokenizer: Tokenizer
) -> GroupView:
    question, name = group[0].trajectory.question, group[0].group_id
    right = sum(_result(rollout) == "right" for rollout in group)
    return GroupView(
        anchor=f"group-{name}",
        keys=keys_of(filters, {STEP: [str(number)], GROUP: [name]}),
        title=f"Iteration {number}, group {name}",
        question=question.text,
        answer=question.answer or "none is stated",
        facts=f"{right} of {len(group)} right · question {question.question_id}",
        samples=[_sample(rollout, filters, tokenizer) for rollout in group],
    )


def _sample(rollout: Rollout, filters: Filters, tokenizer: Tokenizer) -> SampleView:
    result, status = _result(rollout), rollout.trajectory.status
    verdict = result if status is Status.OK else f"{result}, {status.value.replace('_', ' ')}"
    return SampleView(
        keys=keys_of(filters, {RESULT: [result], STATUS: [status.value]}),
        name=rollout.rollout_id,
        numbers=_numbers(rollout),
        tokens=list(token_views(rollout, tokenizer)),
        rollout=trajectory_view(rollout.trajectory, verdict=verdict, right=result == "right"),
    )


def _numbers(rollout: Rollout) -> list[tuple[str, str]]:
    values = {"reward": rollout.reward, "advantage": rollout.advantage}
    if rollout.terms is not None:
        names = ("task", "expert", "efficiency", "format", "unsupported")
        values |= {name: getattr(rollout.terms, name) for name in names}
    shown = [(name, f"{value:.3g}") for name, value in values.items() if not math.isnan(value)]
    if rollout.turn_advantages is not None:
        shown.append(("by turn", ", ".join(f"{part:.2g}" for part in rollout.turn_advantages)))
    gaps = np.abs(_trainer(rollout) - rollout.logprobs)[rollout.loss_mask]
    if gaps.size and not np.isnan(gaps).all():
        shown.append(("largest gap", f"{np.nanmax(gaps):.1e}"))
    return [*shown, ("sampled tokens", str(rollout.num_sampled))]


def _trainer(rollout: Rollout) -> np.ndarray:
    known = rollout.old_logprobs
    return np.full(len(rollout.token_ids), np.nan) if known is None else known


def token_views(rollout: Rollout, tokenizer: Tokenizer) -> Iterator[TokenView]:
    """Every sampled token by itself, coloured by its probability; context in stretches."""
    trainer = _trainer(rollout)
    start = 0
    ids = rollout.token_ids
    control = [tokenizer.control_name(int(token)) is not None for token in ids]
    for end in range(1, len(ids) + 1):
        alike = end < len(ids) and not rollout.loss_mask[start] and not rollout.loss_mask[end]
        if alike and control[start] == control[end]:
            continue
        look = ["trained" if rollout.loss_mask[start] else "context"]
        look += ["control"] * control[start]
        title = ""
        if rollout.loss_mask[start]:
            classes, title = _likelihood(rollout.logprobs[start], trainer[start])
            look += classes
            title += f"; turn {rollout.turns[start]}, policy {rollout.policy_versions[start]}"
        yield TokenView(text=_text(ids, start, end, tokenizer), look=" ".join(look), title=title)
        start = end


def _text(ids: np.ndarray, start: int, end: int, tokenizer: Tokenizer) -> str:
    """The tokens' part of the whole text: a word's space belongs to it, but for the first."""
    if not start:
        return tokenizer.decode(ids[:end])
    before = tokenizer.decode(ids[start - 1 : start])
    both = tokenizer.decode(ids[start - 1 : end])
    return both[len(before) :] if both.startswith(before) else tokenizer.decode(ids[start:end])


def _likelihood(sampler: float, trainer: float) -> tuple[list[str], str]:
    if not math.isfinite(sampler):
        return ["unknown"], "no log-probability"
    chance = math.exp(sampler)
    classes = [next(name for name, least in LOOKS if chance >= least)]
    title = f"sampler {sampler:.4f} nats"
    if math.isfinite(trainer):
        title += f", trainer {trainer:.4f}"
        if abs(sampler - trainer) > GAP:
            classes.append("apart")
    return classes, title


def _legend() -> list[TokenView]:
    words = ("p ≥ 0.9", "p ≥ 0.5", "p ≥ 0.1", "less")
    sampled = [
        TokenView(text="sampled", look=f"trained {name}", title=text)
        for (name, _), text in zip(LOOKS, words, strict=True)
    ]
    return [
        TokenView(text="context", look="context", title="not in the loss"),
        *sampled,
        TokenView(text="control", look="context control", title="spliced in by id"),
        TokenView(
            text="apart", look="trained sure apart", title=f"sampler and trainer over {GAP:g} apart"
        ),
    ]


def _facts(source: Source, groups: Sequence[tuple[int, Sequence[Rollout]]]) -> Mapping[str, str]:
    rollouts = [rollout for _, group in groups for rollout in group]
    right = sum(_result(rollout) == "right" for rollout in rollouts)
    return {
        "run": source.folder.name,
        "shown": f"{len(rollouts)} rollouts in {len(groups)} groups",
        "right": f"{right} of {len(rollouts)}",
        "dumps": ", ".join(path.name for path in source.dumps[:20]),
    }
