"""The stage that trains by reinforcement, and what it gained over the policy it started from."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jax

from medr_jax import console, jsonl
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.data.tfds_builder import read_trajectories
from medr_jax.eval import evaluate as evaluation
from medr_jax.eval import statistics
from medr_jax.eval.config import EvaluationConfig, select_questions
from medr_jax.eval.statistics import Cell
from medr_jax.graph.rarity import seed_diseases
from medr_jax.launch import diagnosis, record, stages, training
from medr_jax.launch.evaluation import evaluate
from medr_jax.launch.together import run_stage_together
from medr_jax.launch.trust_page import write_page
from medr_jax.rl.curriculum import hops_stratum
from medr_jax.rl.rewards import Scorer
from medr_jax.rl.rollout import dump
from medr_jax.rl.train import Settings, Start, World, sample_only, train_rl
from medr_jax.sft import policy
from medr_jax.sharding import make_mesh
from medr_jax.tools.runtime import standard_tools
from medr_jax.training.metrics import METRICS, read_metrics
from medr_jax.trajectories.workshop import Setup, Workshop
from medr_jax.types import Question

RL_VERSION = "2"
"""Raise it when a change of code must train again."""

SAMPLED = "rollouts.jsonl"
PAGE = "trust.html"


def rl(config: SimpleNamespace, asked: Artifact | None = None) -> tuple[Path, Artifact]:
    """Trains from ``config.checkpoint``, or from the SFT run that the config describes.

    ``asked``: a dataset whose training questions are asked instead of those that SFT learned.
    Returns the folder it started from and the run's artifact, whose folder ``evaluate`` and
    ``export_weights`` read as they read an SFT run's.
    """
    dataset, index, folder = _before(config)
    dataset = asked or dataset
    replay = Path(config.replay) if config.replay else None

    def build(path: Path) -> Outcome:
        first = jax.process_index() == 0  # the one process that writes what is not a checkpoint
        loaded = policy.load_policy(folder, make_mesh(config.mesh))
        if first:
            policy.save_description(path, loaded.model_config, loaded.tokenizer, loaded.protocol)
            policy.carry_hf_files(folder / policy.HF, path)
        world = _world(config, dataset, index)
        outcome = train_rl(start_from(loaded), world, settings, path, replay=replay)
        if first and replay is None:
            records = read_metrics(path / METRICS)
            write_page(path / PAGE, records, config.rl.trust, _page_facts(folder, config))
        return outcome

    settings = _settings(config)
    rl_config = dataclasses.replace(settings.rl, micro_rows=1, dump_every=0)
    run = run_stage_together(
        config,
        "rl",
        settings={
            "rl": dataclasses.asdict(rl_config),
            "optimizer": dataclasses.asdict(settings.optimizer),
            "training": dataclasses.asdict(settings.training),
            "sampling": settings.sampling.identity(),
            "agent": dataclasses.asdict(settings.limits),
            "tools": dataclasses.asdict(config.tools),
            "dev_questions": config.dev_questions,
            "replay": str(replay or ""),
            **diagnosis.settings(config),
        },
        inputs={
            "synthesis": dataset.content_hash,
            "index": index.content_hash,
            "policy": policy.params_fingerprint(folder),
        },
        version=RL_VERSION,
        build=build,
        shown=("steps", "exact_match_first", "exact_match_last"),
    )
    return folder, run


def sample(config: SimpleNamespace) -> Path:
    """One iteration's rollouts of ``config.checkpoint``, marked and dumped; nothing is trained."""
    dataset, index, folder = _before(config)
    loaded = policy.load_policy(folder, make_mesh(config.mesh))
    start = start_from(loaded)
    groups, report = sample_only(start, _world(config, dataset, index), _settings(config))
    loaded.tokenizer.save(config.run_dir / policy.TOKENIZER)  # for whoever reads the tokens
    path = config.run_dir / SAMPLED
    dump(path, [rollout for group in groups for rollout in group])
    console.facts(report)
    return path


def compare(config: SimpleNamespace, before: Path, after: Path) -> dict[str, Cell]:
    """Exact match before and after, greedy and sampled, on the same questions, and what differs.

    Writes ``gain.json`` into the run directory.
    """
    cells: dict[str, Cell] = {}
    for name, sampling in (("greedy", config.sampling), ("sampled", config.rl_sampling)):
        sampling = dataclasses.replace(sampling, for_training=False)
        marks = []
        for folder in (before, after):
            changed = SimpleNamespace(**vars(config))
            changed.checkpoint, changed.sampling = str(folder), sampling
            found = evaluation.load_results(evaluate(changed).artifact.path)
            marks.append([float(result.correct) for result in found])
        for when, correct in zip(("before", "after"), marks, strict=True):
            cells[f"{name}, {when}"] = statistics.wilson(int(sum(correct)), len(correct))
        cells[f"{name}, difference"] = statistics.paired_difference(marks[1], marks[0])
    for name, cell in cells.items():
        console.say(
            f"{name:<20} {cell.value:+.3f}  [{cell.low:+.3f}, {cell.high:+.3f}]  n={cell.n}"
        )
    jsonl.write(config.run_dir / "gain.json", [cells])
    return cells


def _page_facts(folder: Path, config: SimpleNamespace) -> dict[str, str]:
    environment = record.environment()
    return {
        "started from": folder.name,
        "seed": str(config.rl_training.seed),
        "algorithm": f"{config.rl.advantage.value}, credit by {config.rl.credit.value}, "
        f"loss by {config.rl.loss_agg.value}",
        "rollouts": f"{config.rl.num_prompts} x {config.rl.group_size} an iteration",
        "commit": str(environment["commit"]),
        "machine": f"{environment['platform']}, {environment['cpus']} CPUs",
    }


def _before(config: SimpleNamespace) -> tuple[Artifact, Artifact, Path]:
    """Dataset, index and the folder of the policy that training starts from."""
    training.enable_compile_cache(config.paths.compile_cache)
    make_mesh(config.mesh)  # a CPU is split into devices before anything else wakes JAX
    graph = stages.graph(config)
    index = stages.index(config, graph)
    dataset = stages.synthesize(config, graph, index)
    folder = Path(config.checkpoint) if config.checkpoint else training.sft(config, dataset)[1].path
    return dataset, index, folder


def _settings(config: SimpleNamespace) -> Settings:
    # The run's seed is the noise's, too: two seeds must not sample the same rollouts.
    sampling = dataclasses.replace(config.rl_sampling, seed=config.rl_training.seed)
    return Settings(
        rl=config.rl,
        optimizer=config.rl_optimizer,
        training=config.rl_training,
        sampling=sampling,
        limits=config.agent,
        # A policy gradient's loss lies about zero, where any is many times the median.
        watch=dataclasses.replace(config.watch, spike_factor=0.0),
        facts=record.environment(),
    )


def start_from(loaded: policy.Policy) -> Start:
    """A trained policy as RL starts from it."""
    return Start(
        model=loaded.model,
        tokenizer=loaded.tokenizer,
        protocol=loaded.protocol,
        mesh=loaded.mesh,
        fingerprint=loaded.meta["fingerprints"]["params"],
    )


def _world(config: SimpleNamespace, dataset: Artifact, index: Artifact) -> World:
    """Training questions with the documents of held-out families hidden, as synthesis hid them."""
    graph_path = stages.graph(config).path
    bench = Setup(
        graph_path=str(graph_path),
        index_path=str(index.path),
        questions=config.questions,
        tools=config.tools,
        synthesis=config.synthesis,
        diagnosis=diagnosis.of_tools(config),
    ).open()
    hidden = bench.held_out if config.synthesis.hide_heldout else frozenset()
    rows = dataset.path / "dataset"
    tools = standard_tools(bench.sources, config.tools, exclude=hidden)
    return World(
        questions=[one.question for one in read_trajectories(rows, "train")],
        dev_questions=_dev_questions(config, rows),
        tools=tools,
        dev_tools=standard_tools(bench.sources, config.tools),
        mark=Scorer(
            config.rl.rewards,
            evaluation.entity_names(bench.graph),
            evaluation.document_text(bench.engine),
        ),
        tool_schemas=tools.schemas(),
        index_hash=bench.engine.content_hash,
        stratum=_stratum(bench, config.rl.curriculum.by_rarity),
    )


def _dev_questions(config: SimpleNamespace, rows: Path) -> list[Question]:
    if not config.dev_questions:
        return []
    hops = config.evaluation.hops
    chosen = EvaluationConfig(
        split="dev", questions_per_hop=max(1, config.dev_questions // len(hops)), hops=hops
    )
    return select_questions((one.question for one in read_trajectories(rows, "dev")), chosen)


def _stratum(bench: Workshop, by_rarity: bool) -> Callable[[Question], str]:
    if not by_rarity:
        return hops_stratum
    sparse = frozenset(seed_diseases(bench.graph)[0])

    def stratum(question: Question) -> str:
        rarity = "sparse" if question.chain.seed_id in sparse else "other"
        return f"{hops_stratum(question)}/{rarity}"

    return stratum
