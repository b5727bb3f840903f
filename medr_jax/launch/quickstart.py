"""The whole loop: every stage, for one seed or several, and the report at the end."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

from medr_jax import console
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval import tables
from medr_jax.launch import record
from medr_jax.launch.evaluation import Evaluated, evaluate
from medr_jax.launch.report import Curve, Report, stage_facts, write_report
from medr_jax.pages.charts import YAxis
from medr_jax.training.metrics import DEV, METRICS, TRAIN, read_metrics

TITLE = "A research agent, trained from scratch"
LEAD = (
    "A decoder of about a million parameters learned from a scripted expert's trajectories to "
    "search a private medical index: it writes its own queries, reads what comes back, and "
    "answers questions about diseases it has never been trained on."
)


def quickstart(config: SimpleNamespace) -> Path:
    """Runs or reuses every stage for each of ``config.seeds``; returns the report's path.

    Raises:
        ValueError: ``seeds`` is empty or names one twice.
    """
    seeds = list(config.seeds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={seeds}: list one or more different seeds")
    start = time.perf_counter()
    runs = [evaluate(with_seed(config, seed)) for seed in seeds]
    page = report(config, runs, seeds)
    main = evaluation.load_summaries(runs[0].artifact.path)
    tables.show(tables.standard(main, evaluation.AGENTS))
    console.say(f"all of it took {time.perf_counter() - start:,.0f} s")
    console.say(f"report       {page}")
    console.say(f"table        {page.with_name('results.md')}, results.json beside it")
    console.say(f"checkpoint   {_artifact(runs[0], 'sft').path}")
    console.say(f"this run     {config.run_dir}")
    return page


def with_seed(config: SimpleNamespace, seed: int) -> SimpleNamespace:
    """The config with another seed of training."""
    changed = SimpleNamespace(**vars(config))
    changed.training = dataclasses.replace(config.training, seed=seed)
    return changed


def report(config: SimpleNamespace, runs: Sequence[Evaluated], seeds: Sequence[int]) -> Path:
    """Writes the report: the first seed's run in full, and all seeds in one table."""
    first = runs[0]
    by_seed = [evaluation.load_summaries(run.artifact.path)[evaluation.MODEL] for run in runs]
    named = {f"training, run {number}": seed for number, seed in enumerate(seeds, start=1)}
    facts = stage_facts(
        [artifact.manifest for artifact in first.used],
        record.environment(),
        first.graph,
        {**named, "questions": config.questions.seed, "expert": config.synthesis.seed},
    )
    return write_report(
        Path(config.report),
        Report(
            title=TITLE,
            lead=LEAD,
            agents=evaluation.AGENTS,
            summaries=evaluation.load_summaries(first.artifact.path),
            results=evaluation.load_results(first.artifact.path),
            main_agent=evaluation.MODEL,
            seeds=by_seed,
            curves=curves(
                read_metrics(_artifact(first, "sft").path / METRICS),
                relabelled=config.data.permute_content > 0,
            ),
            facts=facts,
            num_rollouts=config.evaluation.num_rollouts_shown,
        ),
        graph=first.graph,
    )


def curves(records: Sequence[Mapping[str, object]], *, relabelled: bool = False) -> list[Curve]:
    """Loss on what the model must produce, and the held-out accuracy of each kind of token.

    ``relabelled``: some training rows had their content permuted, which the caption then says.
    """
    easier = ". Some training rows have their names relabelled, held-out rows none"

    def values(kind: str, name: str) -> list[tuple[float, float]]:
        return [(one["step"], one[name]) for one in records if one["kind"] == kind and name in one]

    names = sorted({name for one in records for name in one if name.startswith("token_accuracy/")})
    return [
        Curve(
            caption="Loss on the tokens that the model must produce" + easier * relabelled,
            y_label="nats a token",
            y_axis=YAxis.log,
            values={
                "training": values(TRAIN, "loss/model"),
                "held out": values(DEV, "loss/model"),
            },
            smooth=True,
        ),
        Curve(
            caption="Held-out accuracy of the next token, by its role",
            y_label="share right",
            y_axis=YAxis.fit,
            values={name.split("/")[1]: values(DEV, name) for name in names},
        ),
    ]


def _artifact(run: Evaluated, stage: str):
    (artifact,) = (one for one in run.used if one.manifest.stage == stage)
    return artifact
