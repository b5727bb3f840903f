"""Training on rollouts from disk: the same batches again, or another loss on the same rollouts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medr_jax.rl import advantages, batch, trust
from medr_jax.rl.config import KL, RLConfig
from medr_jax.rl.rollout import Rollout, read_dump
from medr_jax.rl.source import compare, minibatch
from medr_jax.training.loop import Batch


class ReplaySource:
    """A ``BatchSource`` over the dumps of a run, in order; rewards are compared anew.

    Terms and log-probabilities are those of the dump, so that rewards, advantages and losses may
    be configured differently. A run on it goes on exactly: its state is the number of batches.
    """

    def __init__(self, paths: Sequence[Path], config: RLConfig, *, seed: int) -> None:
        """``paths``: one dump an iteration, as ``dump_paths`` lists them.

        Raises:
            ValueError: there is none.
        """
        if not paths:
            raise ValueError(
                "no dumps of rollouts to replay; set rl.dump_every=1 in the run before"
            )
        self._paths = list(paths)
        self._config = config
        self._seed = seed
        self._num_given = 0
        self._read: tuple[int, list[list[Rollout]]] = (-1, [])

    def next_batch(self, params: Any) -> Batch:
        """The next minibatch; after the last dump comes the first again."""
        iteration, place = divmod(self._num_given, self._config.steps_per_iteration)
        if self._read[0] != iteration:
            self._read = iteration, self._groups(self._paths[iteration % len(self._paths)])
        self._num_given += 1
        groups = minibatch(self._read[1], self._config, [self._seed, iteration], place)
        return batch.training_batch([one for group in groups for one in group], self._config)

    def report(self, step: int) -> dict[str, float]:
        """Nothing: the run that sampled has reported on these rollouts."""
        return {}

    def get_state(self) -> dict[str, Any]:
        """JSON that ``set_state`` takes."""
        return {"batches": self._num_given}

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes to where ``get_state`` was called."""
        self._num_given = int(state["batches"])

    def _groups(self, path: Path) -> list[list[Rollout]]:
        rollouts = list(read_dump(path))
        for rollout in rollouts:
            rollout.reward = math.nan
            if rollout.valid:
                trust.audit_mask(rollout, int(rollout.policy_versions.max()))
                if self._config.kl is not KL.none and rollout.ref_logprobs is None:
                    raise ValueError(
                        f"{path}: has no log-probabilities of a reference, which rl.kl="
                        f"{self._config.kl.value} needs; dump with that kl, or use rl.kl=none"
                    )
        groups = advantages.group_by_id(
            rollouts, lambda rollout: rollout.group_id, self._config.group_size
        )
        compare(groups, self._config)
        return groups


def dump_paths(folder: Path) -> list[Path]:
    """The dumps of whole iterations in ``folder``, which may be a run's, in order."""
    folder = folder / "rollouts" if (folder / "rollouts").is_dir() else folder
    return sorted(path for path in folder.glob("*.jsonl") if path.stem.isdigit())
