"""Checkpoints that survive a kill, a full disk, a damaged file and a change of mesh.

Orbax writes each one under a temporary name and renames it in last; the newest complete one
whose contents match their recorded fingerprint is what a run goes on from.
"""

import contextlib
import dataclasses
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from medr_jax import console
from medr_jax.training.state import TrainState, fingerprint, named_arrays, with_named_arrays

ITEMS = ("params", "opt", "data", "meta")
DAMAGED = "damaged"
"""Sibling folder that damaged checkpoints are moved to."""


class Restored(NamedTuple):
    """What ``Checkpoints.restore`` found."""

    state: TrainState
    data: dict[str, Any]  # the place in the data
    meta: dict[str, Any]


class Checkpoints:
    """The checkpoints of one run: ``params``, ``opt`` (with step and RNG), ``data``, ``meta``.

    Frozen parameters are left out: they never change, and the run knows where they came from.
    ``read_only`` neither makes nor removes anything.
    """

    def __init__(self, path: Path, *, keep: int = 2, read_only: bool = False) -> None:
        self.path = Path(path).resolve()
        if read_only and not self.path.is_dir():
            raise ValueError(f"{self.path}: no such folder; run the training first")
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            enable_async_checkpointing=True,
            create=not read_only,
        )
        self._manager = ocp.CheckpointManager(self.path, item_names=ITEMS, options=options)

    def steps(self) -> list[int]:
        """Steps of the complete checkpoints, ascending."""
        return sorted(self._manager.all_steps())

    def save(self, state: TrainState, data: dict[str, Any], meta: dict[str, Any]) -> None:
        """Starts writing in the background; the arrays may be donated as soon as it returns.

        Raises:
            OSError: the disk is too full. Older checkpoints are still there.
        """
        step = int(state.step)
        arrays = _saved_arrays(state)
        self._require_space(arrays)
        params, opt = _split(arrays)
        prints = {"params": fingerprint(params), "opt": fingerprint(opt)}
        with self._disk_errors():
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    params=ocp.args.StandardSave(params),
                    opt=ocp.args.StandardSave(opt),
                    data=ocp.args.JsonSave(data),
                    meta=ocp.args.JsonSave({**meta, "step": step, "fingerprints": prints}),
                ),
                force=True,
            )

    def restore(
        self, template: TrainState, check: Callable[[dict[str, Any]], None] | None = None
    ) -> Restored | None:
        """The newest sound checkpoint on the template's shardings; None when there is none.

        A damaged one is named, moved aside, and the one before it used. ``check`` sees what a
        checkpoint says of itself before its arrays are read, and raises where it is of another
        run: arrays of other shapes are no damage.

        Raises:
            ValueError: there are checkpoints, but every one of them is damaged; or ``check``'s.
        """
        steps = self.steps()
        params, opt = _split(_saved_arrays(template))
        for step in reversed(steps):
            try:
                meta = self._read(step, {})["meta"]
            except Exception as problem:  # Orbax and TensorStore raise many types
                self._set_aside(step, problem)
                continue
            if check is not None:
                check(meta)
            try:
                found = self._read(step, {"params": params, "opt": opt})
            except Exception as problem:
                self._set_aside(step, problem)
                continue
            saved = dataclasses.replace(template, frozen=())
            state = with_named_arrays(saved, {**found["params"], **found["opt"]})
            state = dataclasses.replace(state, frozen=template.frozen)
            return Restored(state, found["data"], found["meta"])
        if steps:
            raise ValueError(
                f"{self.path}: every checkpoint (steps {steps}) is damaged and was moved to "
                f"{self.path.parent / DAMAGED}; run the same command again to train from step 0"
            )
        return None

    def restore_params(self, template: Any) -> tuple[Any, dict[str, Any]]:
        """Parameters (in the tree and on the shardings of ``template``) and meta of the newest.

        Raises:
            ValueError: there is no checkpoint, it is damaged, or ``template`` does not fit it.
        """
        step = self._newest()
        arrays = {f"{_PARAMS}{name}": leaf for name, leaf in named_arrays(template).items()}
        try:
            found = self._read(step, {"params": arrays})
        except Exception as problem:
            raise ValueError(
                f"{self.path / str(step)}: cannot restore the parameters "
                f"({_first_line(problem)}); does the model config fit, is the folder whole?"
            ) from problem
        arrays = {name.removeprefix(_PARAMS): array for name, array in found["params"].items()}
        return with_named_arrays(template, arrays), found["meta"]

    def read_meta(self) -> dict[str, Any]:
        """What the newest checkpoint says of itself, without its arrays.

        Raises:
            ValueError: there is no checkpoint, or it is damaged.
        """
        step = self._newest()
        try:
            return self._read(step, {})["meta"]
        except Exception as problem:
            raise ValueError(
                f"{self.path / str(step)}: damaged ({_first_line(problem)})"
            ) from problem

    def wait(self) -> None:
        """Returns when everything saved is complete on disk.

        Raises:
            OSError: the disk filled up meanwhile. Older checkpoints are still there.
        """
        with self._disk_errors():
            self._manager.wait_until_finished()

    @contextlib.contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """A full disk as the error that the operating system has for it.

        Background writing fails with many types, at the next save or wait.
        """
        try:
            yield
        except Exception as problem:
            if os.strerror(errno.ENOSPC) not in str(problem):
                raise
            raise OSError(
                errno.ENOSPC, "a checkpoint did not fit; older ones are kept", str(self.path)
            ) from problem

    def close(self) -> None:
        """Waits, then frees threads."""
        self._manager.close()

    def _newest(self) -> int:
        steps = self.steps()
        if not steps:
            raise ValueError(f"{self.path}: no complete checkpoint; run the training first")
        return steps[-1]

    def _read(self, step: int, templates: dict[str, dict[str, Any]]) -> dict[str, Any]:
        found = self._manager.restore(
            step,
            args=ocp.args.Composite(
                data=ocp.args.JsonRestore(),
                meta=ocp.args.JsonRestore(),
                **{
                    item: ocp.args.StandardRestore(jax.tree.map(_abstract, arrays))
                    for item, arrays in templates.items()
                },
            ),
        )
        for item in templates:
            if fingerprint(found[item]) != found["meta"]["fingerprints"][item]:
                raise ValueError(f"{item}: the arrays are not the ones that were saved")
        return {item: found[item] for item in (*templates, "data", "meta")}

    def _set_aside(self, step: int, problem: Exception) -> None:
        target = self.path.parent / DAMAGED / f"{step}-{time.time_ns()}"
        console.error(
            f"checkpoint {self.path / str(step)} is damaged ({_first_line(problem)}); moved to "
            f"{target}, trying the one before it"
        )
        if jax.process_index() == 0:
            target.parent.mkdir(exist_ok=True)
            (self.path / str(step)).replace(target)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f"checkpoint {step} is set aside")
        self._manager.reload()

    def _require_space(self, arrays: dict[str, Any]) -> None:
        wanted = sum(array.nbytes for array in arrays.values()) // jax.process_count()
        free = shutil.disk_usage(self.path).free
        if free < wanted:
            raise OSError(
                errno.ENOSPC,
                f"a checkpoint takes {wanted:,} bytes and {free:,} are free; older checkpoints "
                "are kept",
                str(self.path),
            )


_PARAMS = "params."


def _saved_arrays(state: TrainState) -> dict[str, Any]:
    return named_arrays(dataclasses.replace(state, frozen=()))


def _split(arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    params = {name: array for name, array in arrays.items() if name.startswith(_PARAMS)}
    return params, {name: array for name, array in arrays.items() if name not in params}


def _abstract(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding)


def _first_line(problem: BaseException) -> str:
    return (str(problem).strip() or type(problem).__name__).splitlines()[0][:300]
