"""Several processes, one per host, that train together (``jax.distributed``)."""

from dataclasses import dataclass

import jax

AUTO = "auto"


@dataclass(kw_only=True, slots=True)
class DistributedConfig:
    """How the processes of a run find each other. Each is started with the same command.

    All see the same folders: datasets and checkpoints lie on a shared file system.
    """

    coordinator_address: str = ""  # host:port of process 0; "auto" = ask TPU pod or Slurm; "" = one
    num_processes: int = 0
    process_id: int = -1  # from 0

    def __post_init__(self) -> None:
        address = self.coordinator_address
        given = self.num_processes > 0 and 0 <= self.process_id < self.num_processes
        if address in ("", AUTO):
            if self.num_processes or self.process_id != -1:
                raise ValueError(
                    f"distributed: num_processes={self.num_processes}, process_id="
                    f"{self.process_id} with coordinator_address={address!r}; they belong to an "
                    "address host:port"
                )
        elif ":" not in address or not given:
            raise ValueError(
                f"distributed: coordinator_address={address!r}, num_processes="
                f"{self.num_processes}, process_id={self.process_id}; give host:port of process "
                "0, how many there are, and which this is, from 0"
            )

    @property
    def alone(self) -> bool:
        """Whether this process trains without others."""
        return not self.coordinator_address


def connect(config: DistributedConfig) -> None:
    """Joins the other processes; must come before anything that looks at devices."""
    if config.coordinator_address == AUTO:
        jax.distributed.initialize()
    elif config.coordinator_address:
        jax.distributed.initialize(
            config.coordinator_address, config.num_processes, config.process_id
        )
