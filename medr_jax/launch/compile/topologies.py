"""TPU slices by name: their chips' published rates and the mesh to start from on each."""

import dataclasses
import math
import re
from typing import NamedTuple

from medr_jax.sharding import MeshConfig


class Chip(NamedTuple):
    """One TPU chip. Rates are the vendor's peaks: bounds, which nobody reaches."""

    bf16_flops: float  # FLOP/s, dense bfloat16
    hbm_bytes_per_s: float
    ici_bytes_per_s: float  # all links of a chip together, one direction: half of "bidirectional"
    hbm_gib: float  # what the compiler lets one program use, from its own error message
    dimensions: int  # of the torus
    source: str  # of the rates, read November 2026


_DOCS = "https://docs.cloud.google.com/tpu/docs"

CHIPS = {
    "v5e": Chip(197e12, 819e9, 200e9, 15.75, 2, f"{_DOCS}/v5e"),
    "v5p": Chip(459e12, 2765e9, 600e9, 95.74, 3, f"{_DOCS}/v5p"),
    "v6e": Chip(918e12, 1638e9, 400e9, 31.25, 2, f"{_DOCS}/v6e"),
}


class Slice(NamedTuple):
    """A named slice. v5p counts cores in its name, two to a chip; v5e and v6e count chips."""

    grid: str
    train: MeshConfig  # everything is split
    train_long: MeshConfig  # for rows of more than LONG tokens: small chips split those too
    serve: MeshConfig  # weights over tensor only: gathering them for each token is too slow


LONG = 16_384
"""Rows of more tokens than this train on ``train_long``."""


def _split(data: int, fsdp: int, sequence: int, tensor: int) -> MeshConfig:
    return MeshConfig(data=data, fsdp=fsdp, sequence=sequence, tensor=tensor)


# A row of 8k tokens per chip where its activations fit, else per group of chips. Sequence times
# tensor divides the 40 heads of the 32B model: attention then sees whole rows with some of the
# heads, which its kernel needs.
SLICES = {
    "v5e-64": Slice("v5e:8x8", _split(1, 16, 1, 4), _split(1, 8, 4, 2), _split(8, 1, 1, 8)),
    "v5e-256": Slice("v5e:16x16", _split(1, 64, 1, 4), _split(1, 32, 4, 2), _split(32, 1, 1, 8)),
    "v5p-64": Slice("v5p:2x4x4", _split(1, 32, 1, 1), _split(1, 8, 4, 1), _split(4, 1, 1, 8)),
    "v5p-128": Slice("v5p:4x4x4", _split(1, 64, 1, 1), _split(1, 16, 4, 1), _split(8, 1, 1, 8)),
    "v6e-64": Slice("v6e:8x8", _split(1, 16, 1, 4), _split(1, 8, 4, 2), _split(8, 1, 1, 8)),
}


@dataclasses.dataclass(kw_only=True, slots=True)
class Topology:
    """What is compiled for."""

    name: str  # as it was asked for
    generation: str
    grid: str  # the compiler's name of one slice, such as "v5p:4x4x4"
    chips: int  # of all slices together
    num_slices: int

    @property
    def chip(self) -> Chip:
        """Rates and memory of each of its chips."""
        return CHIPS[self.generation]

    def mesh(self, *, serve: bool, row_length: int = 0) -> MeshConfig:
        """Where to start: the table's, else four-way (eight-way to serve) tensor parallelism.

        Further slices are replicas, along the data axis.
        """
        chips = self.chips // self.num_slices
        if known := SLICES.get(self.name):
            train = known.train_long if row_length > LONG else known.train
            mesh = known.serve if serve else train
        else:
            tensor = math.gcd(chips, 8 if serve else 4)
            rest = chips // tensor
            mesh = MeshConfig(data=rest if serve else 1, fsdp=1 if serve else rest, tensor=tensor)
        return dataclasses.replace(mesh, data=mesh.data * self.num_slices)


def parse_topology(name: str, num_slices: int = 1) -> Topology:
    """A slice by name ("v5p-128") or by generation and grid of chips ("v5p:4x4x4").

    Raises:
        ValueError: it is neither, or a grid has the wrong number of dimensions.
    """
    if num_slices < 1:
        raise ValueError(f"compile.num_slices={num_slices}: must be at least 1")
    grid = SLICES[name].grid if name in SLICES else name
    match = re.fullmatch(r"(\w+):(\d+(?:x\d+)*)", grid)
    if match is None or match[1] not in CHIPS:
        raise ValueError(
            f"topology={name}: unknown; use {', '.join(SLICES)}, or <generation>:<grid of chips> "
            f"such as v5p:2x2x2 (generations: {', '.join(CHIPS)})"
        )
    sizes = [int(size) for size in match[2].split("x")]
    dimensions = CHIPS[match[1]].dimensions
    if len(sizes) != dimensions or min(sizes) < 1:
        raise ValueError(
            f"topology={name}: a {match[1]} grid has {dimensions} sizes of at least 1, such as "
            f"{match[1]}:{'x'.join(['2'] * dimensions)}"
        )
    return Topology(
        name=name,
        generation=match[1],
        grid=grid,
        chips=math.prod(sizes) * num_slices,
        num_slices=num_slices,
    )
