"""The trust report as a page: every number that tells whether an RL run can be believed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medr_jax.pages.charts import Chart, Series, YAxis, line_chart
from medr_jax.pages.render import render
from medr_jax.pages.views import Headline, ReportView
from medr_jax.rl.trust import TrustConfig
from medr_jax.training.metrics import DEV, TRAIN

CHARTS = (
    ("Share of right answers among sampled rollouts", "rollout/exact_match"),
    ("Reward terms, unweighted", "reward/"),
    ("Groups that tell nothing, and why", "group/"),
    ("Ends and shortcuts: shares of rollouts", ("rollout/tool_free", "rollout/truncated",
        "rollout/malformed", "rollout/infra_failed")),
    ("Sampler against trainer, nats: the largest and the 99th percentile",
        ("sampler/gap_max", "sampler/gap_p99", "sampler/gap_mean")),
    ("Ratio of trainer to sampler: percentiles", ("sampler/ratio_p",)),
    ("Ratio of new to old policy: shares far from 1 and cut off", ("ratio_", "clipped/")),
    ("KL to the reference, nats a token", "policy/reference_kl"),
    ("Entropy, nats a token", "policy/entropy"),
    ("Log-likelihood a token of right and of wrong rollouts", "policy/logprob_"),
    ("Loss and its parts", "loss"),
    ("Gradient norm", "grad_norm"),
    ("Tool calls and sampled tokens of a rollout", ("rollout/tool_calls", "rollout/sampled_")),
    ("Running success rate of each stratum", "curriculum/"),
    ("Seconds of an iteration: rollouts, scores, optimizer steps",
        ("sample_s", "score_s", "update_s")),
)  # fmt: skip
"""Caption and prefixes of the metrics that a chart shows."""

GATES = ("rollout/infra_failed", "sampler/gap_max", "policy/reference_kl")


def write_page(
    path: Path, records: Sequence[Mapping[str, Any]], config: TrustConfig, facts: dict[str, str]
) -> None:
    """Writes the page of a run's metrics.

    Raises:
        ValueError: no iteration was measured.
    """
    trained = [record for record in records if record["kind"] == TRAIN]
    measured = [record for record in trained if "rollout/exact_match" in record]
    if not measured:
        raise ValueError("no iteration has measured anything yet; run some steps first")
    curves = [
        (caption, chart)
        for caption, prefixes in CHARTS
        if (chart := _chart(trained, prefixes)) is not None
    ]
    if held_out := _chart([record for record in records if record["kind"] == DEV], "exact_match"):
        curves.insert(1, ("Greedy exact match on development questions", held_out))
    page = ReportView(
        title="Can this run be believed?",
        lead="What rollouts, sampler and loss of an RL run say, iteration by iteration.",
        caveats=[
            "Shares of right answers here are of sampled rollouts on training questions: they "
            "steer the run and are no result. Results come from the evaluation of its checkpoint."
        ],
        headlines=[*_gates(measured, config), *_ends(measured)],
        curves=curves,
        facts={"Run": facts},
    )
    path.write_text(render("report.html.j2", report=page), encoding="utf-8")


def _gates(measured: Sequence[Mapping[str, Any]], config: TrustConfig) -> list[Headline]:
    """The worst value of each gate beside where it would have closed."""
    limits = dict(
        zip(
            GATES,
            (config.max_infra_failed, config.max_logprob_gap, config.max_first_kl),
            strict=True,
        )
    )
    labels = {
        "rollout/infra_failed": "largest share of rollouts that our side failed",
        "sampler/gap_max": "largest gap between sampler and trainer, nats",
        "policy/reference_kl": "KL of policy to reference before the first step",
    }
    shown = []
    for name, limit in limits.items():
        values = [record[name] for record in measured if name in record]
        if name == "policy/reference_kl":
            values = values[:1]
        worst = f"{max(values):.2g}" if values else "not measured"
        shown.append(Headline(value=worst, label=labels[name], detail=f"stops above {limit:g}"))
    return shown


def _ends(measured: Sequence[Mapping[str, Any]]) -> list[Headline]:
    first, last = (record["rollout/exact_match"] for record in (measured[0], measured[-1]))
    return [
        Headline(
            value=f"{first:.3f} → {last:.3f}",
            label="sampled answers that are right, first and last iteration",
            detail="training questions, not a result",
        )
    ]


def _chart(records: Sequence[Mapping[str, Any]], prefixes: str | tuple[str, ...]) -> Chart | None:
    names = sorted({name for record in records for name in record if name.startswith(prefixes)})
    series = [
        Series(name=name, points=[(r["step"], r[name]) for r in records if name in r])
        for name in names
    ]
    return line_chart(series, x_label="optimizer step", y_label="", y_axis=YAxis.fit)
