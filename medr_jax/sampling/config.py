"""Sizes of the engine's compiled programs."""

from dataclasses import dataclass, field

from medr_jax.sampling.logits import SamplingConfig


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
