"""The whole study, arm by arm; what is finished is reused, what is not is said to be missing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from medr_jax import console
from medr_jax.artifacts import Artifact
from medr_jax.launch import record
from medr_jax.launch.study import table
from medr_jax.launch.study.answers import answers, load
from medr_jax.launch.study.arms import Trained, has_mistake, read, train_arm
from medr_jax.launch.study.config import ARMS
from medr_jax.launch.study.table import Cost, Finished
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

Curves = dict[str, dict[int, list[dict[str, Any]]]]


def run_study(config: SimpleNamespace) -> Path:
    """Trains and asks every arm; writes tables and curves into ``config.out`` after each.

    Run it again after an interruption: it goes on where it was.
    """
    out = Path(config.out)
    out.mkdir(parents=True, exist_ok=True)
    make_mesh(config.mesh)  # a CPU is split into devices before anything else wakes JAX
    results: dict[str, dict[int, Finished]] = {}
    curves: Curves = {}
    facts = record.environment() | {"seeds": config.study.seeds}
    for seed in config.study.seeds:
        for name in config.study.arms:
            console.say(f"\narm          {ARMS[name].label}, seed {seed}")
            trained = train_arm(config, name, seed)
            asked = load(answers(config, trained.folder, trained.dataset))
            facts |= {"flawed": _shares(trained, facts.get("flawed", {}))}
            done = Finished(cost=_cost(trained.runs), answers=tuple(asked))
            results.setdefault(name, {})[seed] = done
            if ARMS[name].rl:
                records = read_metrics(trained.folder / METRICS)
                curves.setdefault(name, {})[seed] = [r for r in records if r["kind"] == TRAIN]
            write(out, results, config.study.arms, facts)
            if curves:
                plot(curves, out / CURVES)
    console.say("\n" + (out / TABLE).read_text(encoding="utf-8"))
    console.say(f"table        {out / TABLE}, {JSON} beside it")
    return out


def write(out: Path, results: table.Results, arms: Sequence[str], facts: dict[str, Any]) -> None:
    """Both tables, as Markdown and as JSON."""
    rows, found = table.arm_results(results, arms), table.differences(results, arms)
    everything = msgspec.to_builtins({"facts": facts, "arms": rows, "differences": found})
    (out / JSON).write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    flawed = ", ".join(
        f"{name} {share:.1%}" for name, share in sorted(facts.get("flawed", {}).items())
    )
    machine = f"{facts['platform']}, {facts['cpus']} CPUs; commit {facts['commit']}"
    parts = [
        "# Reinforcement learning against its controls",
        _LEAD,
        f"Share of training demonstrations with a mistake, by dataset: {flawed}.",
        machine,
        table.markdown(rows, found),
    ]
    (out / TABLE).write_text("\n\n".join(parts), encoding="utf-8")


def plot(curves: Curves, path: Path) -> None:
    """Each RL arm's training rollouts over its optimizer steps; a line is one seed's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).ravel()
    for axis, (name, label) in zip(axes, PANELS, strict=True):
        for number, (arm, by_seed) in enumerate(curves.items()):
            for place, records in enumerate(by_seed.values()):
                points = [(r["step"], r[name]) for r in records if name in r]
                if points:
                    title = ARMS[arm].label if place == 0 else None
                    axis.plot(*zip(*points, strict=True), color=f"C{number}", lw=1, label=title)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    for axis in axes[2:]:
        axis.set_xlabel("optimizer step")
    figure.savefig(path, dpi=130)


def _shares(trained: Trained, known: Mapping[str, float]) -> dict[str, float]:
    """Share of flawed demonstrations of each dataset that was trained on."""
    name = trained.dataset.path.name
    if name in known:
        return dict(known)
    rows = read(trained.dataset.path / "dataset", "train")
    return {**known, name: sum(map(has_mistake, rows)) / len(rows)}


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
