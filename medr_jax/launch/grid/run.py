"""The whole grid, arm by arm: each leaves a record, and the tables are written anew after it."""

import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from medr_jax import console
from medr_jax.eval import arms as kept
from medr_jax.eval.render import Inputs, render
from medr_jax.launch import record
from medr_jax.launch.grid.arms import not_run, results_folder, run_arm
from medr_jax.launch.grid.config import ARMS
from medr_jax.launch.grid.retrieval import compare_rankings


def run_grid(config: SimpleNamespace) -> Path:
    """Runs what is not finished; an arm that fails becomes a row of "not run" with its reason.

    Interrupted, it goes on where it was: finished stages are reused, a training run resumes.

    Raises:
        ValueError: a file that the options name is not there, or is no such file.
    """
    out = results_folder(config)
    out.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "-m", "experiments.grid", *sys.argv[1:]])
    inputs = Inputs(study=_given(config, "study"), diagnosis=_given(config, "diagnosis"))
    kept.load_study(inputs.study)  # a wrong file is said before anything runs
    known = {(one.arm, one.seed) for one in kept.load(out)}
    for name, seed in config.grid.jobs():
        if (name, seed) not in known:
            kept.save(out, not_run(name, seed, ARMS[name].reason or "the grid has not come to it"))
    if config.grid.relevance_weights:
        _guarded("rankings", lambda: compare_rankings(config))
    for name, seed in config.grid.jobs():
        if ARMS[name].reason:
            continue
        console.say(f"\narm          {name}, seed {seed}")
        found, reason = _guarded(name, lambda n=name, s=seed: run_arm(config, n, s, command))
        kept.save(out, found if found is not None else not_run(name, seed, reason))
        render(out, inputs)
    path = render(out, inputs)
    console.say(f"tables       {path}, figures and .tex, .csv beside it")
    return path


def _given(config: SimpleNamespace, name: str) -> Path | None:
    """The file that an option of the grid names, None where it names none."""
    file = getattr(config.grid, name)
    if file and not Path(file).is_file():
        raise ValueError(f"grid.{name}={file}: no such file; give one or leave the option out")
    return Path(file) if file else None


def _guarded(what: str, work: Callable[[], object]) -> tuple[object, str]:
    """(what it gave, "") or (None, why it failed). Ctrl-C still ends the grid."""
    try:
        return work(), ""
    except Exception as problem:
        if record.debugging():
            traceback.print_exc()
        reason = f"{type(problem).__name__}: {problem}"
        console.error(f"{what}: {reason}; the grid goes on (HYDRA_FULL_ERROR=1 shows where)")
        return None, reason
