"""What the processes of a run tell each other, one process per host.

Every function is called by all of them, in the same order; with one process each is trivial.
"""

import functools
import math
import time
from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

T = TypeVar("T")

_last_agreement = -math.inf


def largest(numbers: Sequence[int]) -> jax.Array | np.ndarray:
    """(n,) int32: each number's largest over all processes, which may be read later."""
    mine = np.asarray(numbers, np.int32)
    if jax.process_count() == 1:
        return mine
    spread, reduce = _reduction()
    rows = np.tile(mine, (jax.local_device_count(), 1))
    with jax.set_mesh(spread.mesh):  # the caller's may have the devices in another order
        return reduce(jax.make_array_from_process_local_data(spread, rows))


def agree(*numbers: int) -> list[int]:
    """``largest``, waited for."""
    global _last_agreement
    agreed = np.asarray(largest(numbers)).tolist()
    _last_agreement = time.monotonic()
    return agreed


def last_agreement() -> float:
    """When all processes were last heard of by ``agree``, as ``time.monotonic`` counts."""
    return _last_agreement


@functools.cache
def _reduction():
    mesh = Mesh(np.array(jax.devices()), ("devices",))
    everywhere = NamedSharding(mesh, PartitionSpec())
    reduce = jax.jit(functools.partial(jnp.max, axis=0), out_shardings=everywhere)
    return NamedSharding(mesh, PartitionSpec("devices")), reduce


def my_part(things: Sequence[T]) -> Sequence[T]:
    """This process's share, of nearly equal size; all shares in order are ``things``."""
    number, count = jax.process_index(), jax.process_count()
    return things[number * len(things) // count : (number + 1) * len(things) // count]


def gather_bytes(mine: bytes) -> list[bytes]:
    """What every process gave, in their order."""
    if jax.process_count() == 1:
        return [mine]
    with jax.set_mesh(_reduction()[0].mesh):
        sizes = multihost_utils.process_allgather(np.int32(len(mine)))
        padded = np.zeros(1 << int(max(sizes)).bit_length(), np.uint8)  # few sizes are compiled
        padded[: len(mine)] = np.frombuffer(mine, np.uint8)
        rows = multihost_utils.process_allgather(padded)
    return [row[:size].tobytes() for row, size in zip(rows, sizes, strict=True)]


def to_host(array: jax.Array) -> np.ndarray:
    """The whole of an array that may be split over processes."""
    if array.is_fully_addressable:
        return np.asarray(array)
    return multihost_utils.process_allgather(array, tiled=True)
