"""A stage that all processes of a run build at once: training over several hosts."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from medr_jax import artifacts
from medr_jax.artifacts import Artifact, Outcome
from medr_jax.launch import stages


def run_stage_together(
    config: SimpleNamespace, stage: str, *, build: Callable[[Path], Outcome], **settings: Any
) -> Artifact:
    """``stages.run_stage``, where ``build`` is called in every process or in none.

    Process 0 alone holds the stage's lock, decides whether there is something to build, and
    writes the manifest; the others follow it.
    """
    if jax.process_count() == 1:
        return stages.run_stage(config, stage, build=build, **settings)
    if jax.process_index() == 0:

        def build_with_others(path: Path) -> Outcome:
            _from_first(True)
            return build(path)

        artifact = stages.run_stage(config, stage, build=build_with_others, **settings)
        if artifact.reused:
            _from_first(False)
    else:
        path = artifacts.artifact_path(
            config.paths.artifacts,
            stage,
            config=settings["settings"],
            inputs=settings["inputs"],
            version=settings["version"],
        )
        if _from_first(False):
            build(path)
    multihost_utils.sync_global_devices(f"{stage} is complete")
    return artifact if jax.process_index() == 0 else artifacts.load(path)


def _from_first(value: bool) -> bool:
    """What process 0 says; all must ask."""
    return bool(multihost_utils.broadcast_one_to_all(np.int32(value)))
