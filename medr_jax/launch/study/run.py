"""The whole study, arm by arm; what is finished is reused, what is not is said to be missing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from medr_jax import console
from medr_jax.artifacts import Artifact
from medr_jax.launch import record, stages
from medr_jax.launch.study import records, table
from medr_jax.launch.study.answers import answers, load
from medr_jax.launch.study.arms import arm_config, has_mistake, read, train_arm
from medr_jax.launch.study.config import ARMS
from medr_jax.launch.study.records import ArmRecord
from medr_jax.launch.study.table import Cost
from medr_jax.sharding import make_mesh
from medr_jax.training.metrics import METRICS, TRAIN, read_metrics

JSON, TABLE, CURVES = "study.json", "study.md", "curves.png"

PANELS = (
    ("rollout/exact_match", "right, of sampled training rollouts"),
    ("reward/total", "reward"),
    ("rollout/tool_calls", "tool calls"),
    ("policy/entropy", "entropy, nats a token"),
)

_LEAD = (
    "RL of a tiny model, as a check of the mechanism: not the paper's result. Each arm answers "
    "the same held-out questions, once greedily and several times sampled at temperature 1 "
    "(pass@1). Intervals: 95%, bootstrap over seeds, disease families and questions; differences "
    "are paired by seed and question. Cost includes the SFT that an arm starts from."
)

Records = dict[str, dict[int, ArmRecord]]
"""Arm -> seed -> what it came to."""


def run_study(config: SimpleNamespace) -> Path:
    """Trains and asks every arm; writes tables, curves and records into ``config.out`` after each.

    Run it again after an interruption: it goes on where it was. Arms whose record lies in a
    folder of ``study.records`` are not trained; with ``study.train=false`` none is.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    make_mesh(config.mesh)  # a CPU is split into devices before anything else wakes JAX
    done: Records = {}
    facts = record.environment() | {"seeds": config.study.seeds}
    for seed in config.study.seeds:
        for name in config.study.arms:
            console.say(f"\narm          {ARMS[name].label}, seed {seed}")
            found, is_new = _arm(config, name, seed, str(facts["commit"]))
            if found is None:
                console.say("not run      no record, and study.train=false")
                continue
            done.setdefault(name, {})[seed] = found
            records.save(out / records.RECORDS, found)
            if is_new:  # of many seeds the intervals take half a minute
                _show(out, done, config.study.arms, facts)
    if not done:
        raise ValueError(
            f"study.records={list(config.study.records)}: no record has a recipe of this study; "
            "name other folders, or leave study.train at true"
        )
    _show(out, done, config.study.arms, facts)
    console.say("\n" + (out / TABLE).read_text(encoding="utf-8"))
    console.say(f"table        {out / TABLE}, {JSON} beside it")
    return out


def _show(out: Path, done: Records, arms: Sequence[str], facts: Mapping[str, Any]) -> None:
    write(out, done, arms, facts)
    plot(done, out / CURVES)


def _arm(
    config: SimpleNamespace, name: str, seed: int, commit: str
) -> tuple[ArmRecord | None, bool]:
    """The arm's record, and whether it is new: made by training and asking, not read.

    None where there is none and ``study.train`` is off.
    """
    arm = ARMS[name]
    changed = arm_config(config, arm, seed)
    graph = stages.graph(changed)
    index = stages.index(changed, graph)
    dataset = stages.synthesize(changed, graph, index)
    recipe = records.recipe(changed, arm, dataset, index)
    folders = [Path(folder) for folder in config.study.records]
    if found := records.find(folders, name, seed, recipe):
        return found, False
    if not config.study.train:
        return None, False
    runs = train_arm(changed, arm, dataset)
    asked = load(answers(changed, runs[-1].path, dataset))
    rows = read(dataset.path / "dataset", "train")
    made = ArmRecord(
        arm=name,
        seed=seed,
        recipe=recipe,
        commit=commit,
        dataset=dataset.path.name,
        flawed=sum(map(has_mistake, rows)) / len(rows),
        cost=_cost(runs),
        curve=_curve(runs[-1]) if arm.rl else (),
        answers=tuple(asked),
    )
    return made, True


def write(out: Path, done: Records, arms: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Both tables, as Markdown and as JSON."""
    results = {
        name: {seed: one.finished for seed, one in found.items()} for name, found in done.items()
    }
    every = [one for found in done.values() for one in found.values()]
    facts = {
        **facts,
        "flawed": {one.dataset: one.flawed for one in every},
        "commits": sorted({one.commit for one in every}),
    }
    rows, found = table.arm_results(results, arms), table.differences(results, arms)
    everything = msgspec.to_builtins({"facts": facts, "arms": rows, "differences": found})
    (out / JSON).write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    flawed = ", ".join(f"{name} {share:.1%}" for name, share in sorted(facts["flawed"].items()))
    commits = ", ".join(facts["commits"])
    parts = [
        "# Reinforcement learning against its controls",
        _LEAD,
        f"Share of training demonstrations with a mistake, by dataset: {flawed}.",
        f"{facts['platform']}, {facts['cpus']} CPUs; trained and asked at commit {commits}",
        table.markdown(rows, found),
    ]
    (out / TABLE).write_text("\n\n".join(parts), encoding="utf-8")


def plot(done: Records, path: Path) -> None:
    """Each RL arm's training rollouts over its optimizer steps; a line is one seed's."""
    from matplotlib.figure import Figure

    curves = {
        arm: [one.curve for one in by_seed.values()]
        for arm, by_seed in done.items()
        if any(one.curve for one in by_seed.values())
    }
    if not curves:
        return
    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).ravel()
    for axis, (name, label) in zip(axes, PANELS, strict=True):
        for number, (arm, found) in enumerate(curves.items()):
            for place, curve in enumerate(found):
                points = [(r["step"], r[name]) for r in curve if name in r]
                if points:
                    title = ARMS[arm].label if place == 0 else None
                    axis.plot(*zip(*points, strict=True), color=f"C{number}", lw=1, label=title)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    for axis in axes[2:]:
        axis.set_xlabel("optimizer step")
    figure.savefig(path, dpi=130)


def _curve(run: Artifact) -> tuple[dict[str, float], ...]:
    """What is plotted of an RL run."""
    names = ("step", *(name for name, _ in PANELS))
    return tuple(
        {name: found[name] for name in names if name in found}
        for found in read_metrics(run.path / METRICS)
        if found["kind"] == TRAIN
    )


def _cost(runs: Sequence[Artifact]) -> Cost:
    trained = [
        record
        for run in runs
        for record in read_metrics(run.path / METRICS)
        if record["kind"] == TRAIN
    ]
    cpu = [record.get("cpu_s") for record in trained]
    return Cost(
        steps=len(trained),
        tokens=sum(record["tokens"] for record in trained),
        cpu_s=None if None in cpu else sum(cpu),
    )
