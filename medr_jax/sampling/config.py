"""Sizes of the engine's compiled programs."""

import dataclasses
import enum
from dataclasses import dataclass, field
from typing import Any

from medr_jax.sampling.logits import SamplingConfig


class Weights(enum.Enum):
    """How the sampler holds the weights that are trained."""

    gathered = "gathered"  # whole along fsdp and sequence, in the compute dtype; copied if need be
    as_trained = "as_trained"  # as they are: no memory, but gathered again for every token


@dataclass(kw_only=True, slots=True)
class EngineConfig(SamplingConfig):
    """Sizes are compiled in: a change of one compiles anew."""

    num_slots: int = 64  # rollouts open at once, each with its keys and values
    max_length: int = 2560  # tokens of a rollout, all turns together
    chunk_steps: int = 16  # tokens per row and dispatch
    seed: int = 0
    # Rows per decode dispatch: the least of these that holds all rollouts that sample now; []:
    # every slot. Less than num_slots leaves rollouts that wait for a tool out of the work.
    decode_rows: list[int] = field(default_factory=list)
    share_prompts: bool = True  # copy keys and values from a rollout with an equal prompt
    prefill_rows: int = 16  # rows per prefill dispatch
    prefill_widths: list[int] = field(default_factory=lambda: [16, 64, 256])
    weights: Weights = Weights.gathered

    def __post_init__(self) -> None:
        # Explicit: super() does not find the class that dataclass(slots=True) rebuilt.
        SamplingConfig.__post_init__(self)
        for name in ("num_slots", "max_length", "chunk_steps", "prefill_rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"sampling.{name}={getattr(self, name)}; it must be at least 1")
        if not self.prefill_widths or min(self.prefill_widths) < 1:
            raise ValueError(
                f"sampling.prefill_widths={self.prefill_widths}; list one or more positive widths"
            )
        if self.decode_rows and not 1 <= min(self.decode_rows) <= max(self.decode_rows) <= (
            self.num_slots
        ):
            raise ValueError(
                f"sampling.decode_rows={self.decode_rows}; each must be at least 1 and at most "
                f"num_slots={self.num_slots}"
            )

    def identity(self) -> dict[str, Any]:
        """What results may depend on: everything but where the weights lie."""
        everything = dataclasses.asdict(self)
        del everything["weights"]
        return everything
