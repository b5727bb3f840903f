"""What every entry point shares: config in, typed objects out, errors that a person can use."""

import errno
import functools
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments import _schemas
from medr_jax import console
from medr_jax.launch import record

USER_ERROR = 2
INTERRUPTED = 130
_WRONG_PATH = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS),
        *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    }
)
"""What the system says of a path that does not fit or may not be used."""


def entry_point(config_name: str, *groups: str) -> Callable:
    """Makes ``task(config)`` a Hydra command; ``config`` holds one dataclass per group.

    A mistake of the user (ValueError) ends with one line and exit code 2, Ctrl-C with a line
    and 130, a full disk with a line that names the remedy.
    """
    _schemas.register(*groups)

    def decorate(task: Callable[[SimpleNamespace], object]) -> Callable:
        @functools.wraps(task)
        def run(raw: DictConfig) -> object:
            job = HydraConfig.get()
            run_dir = Path(job.runtime.output_dir)
            config = SimpleNamespace(**_typed(raw), run_dir=run_dir)
            return _friendly(task, config, list(job.overrides.task))

        command = hydra.main(
            version_base="1.3", config_path=_schemas.config_dir(), config_name=config_name
        )(run)
        command.config_name, command.groups = config_name, groups
        return command

    return decorate


def _typed(raw: DictConfig) -> dict:
    try:
        return OmegaConf.to_object(raw)
    except Exception as problem:  # a dataclass's __post_init__ or a missing value
        console.error(str(problem))
        raise SystemExit(USER_ERROR) from None


def _friendly(task: Callable, config: SimpleNamespace, overrides: list[str]) -> object:
    try:
        # By its file: in a process of a sweep, __main__ is the launcher's.
        module = f"experiments.{Path(task.__code__.co_filename).stem}"
        record.write_run_record(config.run_dir, module=module, overrides=overrides)
        return task(config)
    except ValueError as problem:
        console.error(str(problem))
        raise SystemExit(USER_ERROR) from (problem if record.debugging() else None)
    except KeyboardInterrupt:
        console.error("interrupted; finished stages are kept, run the same command to go on")
        raise SystemExit(INTERRUPTED) from None
    except OSError as problem:
        console.error(_about_a_file(problem))
        raise SystemExit(USER_ERROR) from (problem if record.debugging() else None)


def _about_a_file(problem: OSError) -> str:
    """What a user can do about it. Raises ``problem`` again where that is nothing."""
    if problem.errno == errno.ENOSPC:
        known = problem.strerror in (None, os.strerror(errno.ENOSPC))
        detail = "" if known else f": {problem.strerror}"
        return (
            f"no space left on the disk ({problem.filename or 'unknown file'}){detail}; free some "
            "and run the same command again: finished stages are kept"
        )
    if problem.errno in _WRONG_PATH and problem.filename:
        return (
            f"{problem.filename}: {problem.strerror}; name another file or folder (a path that "
            "was given, paths.artifacts or paths.runs)"
        )
    raise problem
