"""The device mesh, and the one table that maps logical array axes to its axes.

Parameters carry logical axis names (``nnx.Param(..., axes=("embed", "mlp"))``); activations
are named where they are constrained. Nothing else in the code knows the mesh's axes.
"""

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.experimental import mesh_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

MESH_AXES = ("data", "fsdp", "sequence", "tensor")

RULES: dict[str, tuple[str, ...]] = {
    "batch": ("data", "fsdp"),
    "length": ("sequence",),
    "activation": (),  # the embedding dimension of activations, replicated
    "layers": (),
    "vocab": ("tensor",),
    "embed": ("fsdp", "sequence"),
    "heads": ("tensor",),
    "kv_heads": ("tensor",),
    "attention_heads": ("tensor", "sequence"),  # inside attention, which sees whole rows
    "head_dim": (),
    "mlp": ("tensor",),
    "taps": (),
    "rank": (),  # of an adapter
}
"""Logical axis -> mesh axes it is split over, the first ones first."""


@dataclass(kw_only=True, slots=True)
class MeshConfig:
    """Devices along each mesh axis; one of them may be -1 for "all that are left"."""

    data: int = 1  # replicas of the parameters; splits the batch
    fsdp: int = 1  # splits parameters, optimizer state and the batch
    sequence: int = 1  # splits the tokens of a row (long context), and what fsdp splits
    tensor: int = 1  # splits heads, hidden units and vocabulary
    cpu_devices: int = 0  # into how many devices a CPU is split, where it is all there is; 0 = 1

    def __post_init__(self) -> None:
        sizes = [getattr(self, axis) for axis in MESH_AXES]
        if any(size < 1 and size != -1 for size in sizes) or sizes.count(-1) > 1:
            raise ValueError(
                f"mesh: {_sizes(self)}; each must be at least 1, and at most one may be -1 "
                "(all remaining devices)"
            )
        if self.cpu_devices < 0:
            raise ValueError(f"mesh.cpu_devices={self.cpu_devices}; it must not be negative")


def _sizes(config: MeshConfig) -> str:
    return ", ".join(f"{axis}={getattr(config, axis)}" for axis in MESH_AXES)


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The (data, fsdp, sequence, tensor) mesh over the first devices that it needs.

    Raises:
        ValueError: fewer devices than the mesh asks for, or a remainder with -1.
    """
    if devices is None:
        _split_cpu(config.cpu_devices)
        devices = jax.devices()
    devices = list(devices)
    sizes = [getattr(config, axis) for axis in MESH_AXES]
    fixed = math.prod(size for size in sizes if size != -1)
    if -1 in sizes and len(devices) % fixed == 0:
        sizes[sizes.index(-1)] = len(devices) // fixed
    if -1 in sizes or math.prod(sizes) > len(devices):
        raise ValueError(
            f"mesh: {_sizes(config)} does not fit {len(devices)} {devices[0].platform} "
            "device(s); lower it, or for a trial on CPU set "
            "XLA_FLAGS=--xla_force_host_platform_device_count=8"
        )
    grid = _device_grid(sizes, devices[: math.prod(sizes)])
    return Mesh(grid, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES))


def _device_grid(sizes: Sequence[int], devices: Sequence[jax.Device]) -> np.ndarray:
    """Devices in the mesh's shape, neighbours near each other on a TPU's torus.

    ``jax.make_mesh`` refuses several slices, and any axis that is not a product of whole axes
    of the torus: 16 x 4 on 8 x 8.
    """
    slices = {getattr(device, "slice_index", 0) for device in devices}
    if devices[0].platform != "tpu" or len(slices) == 1:
        return mesh_utils.create_device_mesh(sizes, devices, allow_split_physical_axes=True)
    if sizes[0] % len(slices):
        raise ValueError(
            f"mesh.data={sizes[0]}: the devices are {len(slices)} TPU slices, over whose slower "
            f"network only the data axis runs; make it a multiple of {len(slices)}"
        )
    return mesh_utils.create_hybrid_device_mesh(
        (sizes[0] // len(slices), *sizes[1:]),
        (len(slices), *(1 for _ in sizes[1:])),
        devices,
        allow_split_physical_axes=True,
    )


def gathered_mesh(mesh: Mesh, num_kv_heads: int) -> Mesh:
    """The same devices for sampling: rows split over all of them that need not split heads.

    ``tensor`` grows by as much of ``sequence`` as the key heads divide by.
    """
    devices = gathered_devices(mesh, num_kv_heads)[:, None, None]
    if devices.shape == mesh.devices.shape and (devices == mesh.devices).all():
        return mesh
    return Mesh(devices, MESH_AXES, axis_types=mesh.axis_types)


def gathered_devices(mesh: Mesh, num_kv_heads: int) -> np.ndarray:
    """Devices as (rows, devices of a row).

    Those of a row that lie in several processes, as on a torus, are exchanged for neighbours
    where that puts each row into one process.
    """
    data, fsdp, sequence, tensor = (mesh.shape[axis] for axis in MESH_AXES)
    devices = mesh.devices.reshape(gathered_sizes(data * fsdp, sequence, tensor, num_kv_heads))
    if _in_one_process(devices):
        return devices
    flat = sorted(devices.flat, key=lambda device: (device.process_index, device.id))
    exchanged = np.array(flat, object).reshape(devices.shape)
    return exchanged if _in_one_process(exchanged) else devices


def gathered_sizes(rows: int, sequence: int, tensor: int, num_kv_heads: int) -> tuple[int, int]:
    """(data, tensor) of ``gathered_mesh``, for a mesh that splits rows into so many parts."""
    fits = (n for n in range(1, sequence + 1) if sequence % n == num_kv_heads % (tensor * n) == 0)
    split = max(fits, default=1)
    return rows * sequence // split, tensor * split


def _in_one_process(rows: np.ndarray) -> bool:
    return all(len({device.process_index for device in row}) == 1 for row in rows)


def _split_cpu(count: int) -> None:
    """Makes JAX see ``count`` CPU devices. A JAX that is up already keeps those it has."""
    if count:
        with contextlib.suppress(RuntimeError):
            jax.config.update("jax_num_cpu_devices", count)


def row_share(mesh: Mesh, process: int | None = None) -> tuple[int, int]:
    """(index, count): which of how many equal parts of a batch's rows this process holds.

    Processes among which rows are not split, but heads or the tokens of a row, hold the same.

    Raises:
        ValueError: parts that overlap without being the same, or a process that holds none.
    """
    process = jax.process_index() if process is None else process
    by_row = mesh.devices.reshape(mesh.shape["data"] * mesh.shape["fsdp"], -1)
    held: dict[int, set[int]] = {}
    for row, devices in enumerate(by_row):
        for device in devices:
            held.setdefault(device.process_index, set()).add(row)
    if process not in held:
        raise ValueError(
            f"mesh: {dict(mesh.shape)} leaves process {process} without a device; make the sizes "
            "multiply to all devices of all processes, such as mesh=fsdp"
        )
    parts = sorted({tuple(sorted(rows)) for rows in held.values()})
    if len({len(part) for part in parts}) > 1 or sum(map(len, parts)) != len(by_row):
        raise ValueError(
            f"mesh: {dict(mesh.shape)} over {len(held)} processes splits rows so that parts of "
            "them overlap; make mesh.data * mesh.fsdp a multiple or a divisor of the processes"
        )
    return parts.index(tuple(sorted(held[process]))), len(parts)


def partition_spec(axes: Sequence[str | None], shape: Sequence[int], mesh: Any) -> PartitionSpec:
    """Where an array of this shape lives.

    A dimension is split over the first of its mesh axes, as many as divide it evenly, and
    replicated over the others.
    """
    if len(axes) != len(shape):
        raise ValueError(f"axes {tuple(axes)} do not name the dimensions of shape {tuple(shape)}")
    entries = []
    for name, size in zip(axes, shape, strict=True):
        names = RULES[name] if name else ()
        names = tuple(axis for axis in names if mesh.shape.get(axis, 1) > 1)
        while size % math.prod(mesh.shape[axis] for axis in names):
            names = names[:-1]
        entries.append(names[0] if len(names) == 1 else names or None)
    return PartitionSpec(*entries)


def named_sharding(mesh: Mesh, axes: Sequence[str | None], shape: Sequence[int]) -> NamedSharding:
    """``partition_spec`` bound to the mesh."""
    return NamedSharding(mesh, partition_spec(axes, shape, mesh))


def shardings(tree: Any, mesh: Mesh) -> Any:
    """A sharding for every array of a pytree of (possibly abstract) parameters.

    ``nnx.Param`` leaves follow their ``axes``, stacked or not; so do optimizer moments, which
    optax builds in the parameters' image. Other arrays are replicated.
    """

    def one(leaf: Any) -> Any:
        if not isinstance(leaf, nnx.Variable):
            return NamedSharding(mesh, PartitionSpec())
        value = leaf.get_value()
        axes = leaf.get_metadata().get("axes", (None,) * value.ndim)
        axes = ("layers",) * (value.ndim - len(axes)) + tuple(axes)
        return leaf.replace(named_sharding(mesh, axes, value.shape))

    return jax.tree.map(one, tree, is_leaf=lambda leaf: isinstance(leaf, nnx.Variable))


def abstract_arrays(shapes: Any, layout: Any) -> Any:
    """Shapes and their shardings as one tree of ``jax.ShapeDtypeStruct``."""
    return jax.tree.map(
        lambda shape, place: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=place),
        shapes,
        layout,
    )


def constrain(array: jax.Array, *axes: str | None) -> jax.Array:
    """Pins an activation to the current mesh (``jax.set_mesh``).

    Does nothing without one, and inside ``jax.shard_map``, whose arrays are one device's.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or mesh.size == 1 or mesh.are_all_axes_manual:
        return array
    return jax.lax.with_sharding_constraint(array, partition_spec(axes, array.shape, mesh))


def num_shards(axis: str, size: int) -> int:
    """Into how many parts the current mesh splits a dimension of this logical axis and size."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        return 1
    (names,) = partition_spec((axis,), (size,), mesh)
    names = (names,) if isinstance(names, str) else names or ()
    return math.prod(mesh.shape[name] for name in names)
