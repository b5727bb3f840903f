"""How a run is watched: nothing here changes what is learned."""

import enum
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jax.sharding import Mesh

from medr_jax.models.flops import known_peak


class WandbMode(enum.Enum):
    """``offline`` keeps everything in the run's folder, for ``wandb sync``."""

    online = "online"
    offline = "offline"


@dataclass(kw_only=True, slots=True)
class WatchConfig:
    """Where metrics go besides metrics.jsonl, and when a run is stopped for its own good."""

    tensorboard: bool = False
    wandb_project: str = ""  # "" = not to Weights & Biases
    wandb_mode: WandbMode = WandbMode.offline
    peak_flops: float = 0.0  # of one device, for MFU; 0 = by the table of models/flops.py
    spike_factor: float = 0.0  # stop at a loss this many times the recent median; 0 = never
    peer_timeout_s: float = 1800.0  # without a finished step, of several processes: one is dead

    def __post_init__(self) -> None:
        for name in ("peak_flops", "spike_factor"):
            if getattr(self, name) < 0:
                raise ValueError(f"watch.{name}={getattr(self, name)}: must not be negative")
        if 0 < self.spike_factor <= 1:
            raise ValueError(
                f"watch.spike_factor={self.spike_factor}: half of all losses are above their "
                "median; use 0 for never, or something like 10"
            )
        if not self.peer_timeout_s > 0:
            raise ValueError(f"watch.peer_timeout_s={self.peer_timeout_s}: must be above 0")

    def peak_of(self, mesh: Mesh) -> float:
        """FLOP/s of the mesh's devices together; 0 where nobody knows it."""
        kind = mesh.devices.flat[0].device_kind
        return (self.peak_flops or known_peak(kind) or 0.0) * mesh.size


class Tracker(Protocol):
    """Something that is shown every logged line of metrics."""

    def append(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        """One line; ``kind`` is "train" or "dev"."""

    def close(self) -> None:
        """Writes what it still holds."""


def open_trackers(
    config: WatchConfig, out: Path, *, after_step: int, identity: Mapping[str, Any]
) -> list[Tracker]:
    """The configured trackers of a run that goes on after a step, under ``out``.

    Raises:
        ValueError: the library that one needs is not installed.
    """
    trackers: list[Tracker] = []
    if config.tensorboard:
        trackers.append(_TensorBoard(out / "tensorboard", after_step))
    if config.wandb_project:
        trackers.append(_Wandb(config, out, identity))
    return trackers


class _TensorBoard:
    def __init__(self, folder: Path, after_step: int) -> None:
        module = _imported("tensorboardX", "watch.tensorboard=true")
        # Points after the checkpoint come again: the old ones are hidden.
        self._writer = module.SummaryWriter(str(folder), purge_step=after_step + 1)

    def append(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, config: WatchConfig, out: Path, identity: Mapping[str, Any]) -> None:
        module = _imported("wandb", f"watch.wandb_project={config.wandb_project}")
        self._run = module.init(
            project=config.wandb_project,
            id=out.resolve().name,  # the same run when it goes on
            resume="allow",
            dir=str(out),
            mode=config.wandb_mode.value,
            config=dict(identity),
        )
        # Our own axis: its internal one refuses steps that come again.
        self._run.define_metric("*", step_metric="optimizer_step")

    def append(self, kind: str, step: int, values: Mapping[str, float]) -> None:
        named = {f"{kind}/{name}": value for name, value in values.items()}
        self._run.log({"optimizer_step": step, **named})

    def close(self) -> None:
        self._run.finish()


def _imported(name: str, setting: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as problem:
        if problem.name != name:
            raise
        raise ValueError(
            f"{setting} needs {name}: pip install 'medr-jax[track]', or leave it out; "
            "metrics.jsonl is always written"
        ) from None
