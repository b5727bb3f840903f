"""Logical axes become mesh axes, and a mesh that cannot be made says why."""

import os
import subprocess
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.sharding import AbstractMesh, PartitionSpec

from medr_jax import sharding
from medr_jax.models.transformer import abstract_model
from medr_jax.sharding import MeshConfig, make_mesh, partition_spec
from medr_jax.testing.models import small_config

CUBE = AbstractMesh((2, 2, 1, 2), sharding.MESH_AXES)
LONG = AbstractMesh((1, 2, 4, 2), sharding.MESH_AXES)


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        (("batch", "length", "activation"), (8, 5, 16), (("data", "fsdp"), None, None)),
        (("embed", "heads", "head_dim"), (16, 4, 8), ("fsdp", "tensor", None)),
        (("vocab", "embed"), (10, 16), ("tensor", "fsdp")),
        # 3 key heads do not divide over 2 devices, 6 rows over 2 but not over 4: not refused
        (("embed", "kv_heads", "head_dim"), (16, 3, 8), ("fsdp", None, None)),
        (("batch", None), (6, 3), ("data", None)),
        (("batch", None), (3, 3), (None, None)),
    ],
)
def test_rules(axes, shape, expected):
    assert partition_spec(axes, shape, CUBE) == PartitionSpec(*expected)


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        (("batch", "length", "activation"), (2, 64, 16), ("fsdp", "sequence", None)),
        # Parameters do not know rows: their embedding dimension is split instead.
        (("embed", "mlp"), (16, 32), (("fsdp", "sequence"), "tensor")),
        # Attention sees whole rows: its heads are split in their stead, where they divide.
        (("batch", None, "attention_heads"), (2, 64, 8), ("fsdp", None, ("tensor", "sequence"))),
        (("batch", None, "attention_heads"), (2, 64, 6), ("fsdp", None, "tensor")),
    ],
)
def test_rules_for_long_rows(axes, shape, expected):
    assert partition_spec(axes, shape, LONG) == PartitionSpec(*expected)


def mesh_of(processes: list[int], **sizes: int):
    """What ``row_share`` reads of a mesh whose n-th device belongs to ``processes[n]``."""
    shape = {axis: sizes.get(axis, 1) for axis in sharding.MESH_AXES}
    devices = [SimpleNamespace(process_index=p, id=n) for n, p in enumerate(processes)]
    return SimpleNamespace(shape=shape, devices=np.array(devices).reshape(*shape.values()))


@pytest.mark.parametrize(
    ("processes", "sizes", "expected"),
    [
        ([0, 0, 0, 0], {"fsdp": 4}, [(0, 1)]),
        ([0, 0, 1, 1], {"fsdp": 4}, [(0, 2), (1, 2)]),
        # The tensor axis runs through both processes: both hold all rows. Half for each would
        # give two halves of the devices different batches.
        ([0, 0, 1, 1], {"tensor": 4}, [(0, 1), (0, 1)]),
        ([0, 1, 2, 3], {"fsdp": 2, "sequence": 2}, [(0, 2), (0, 2), (1, 2), (1, 2)]),
    ],
)
def test_processes_that_share_rows_get_the_same(processes, sizes, expected):
    mesh = mesh_of(processes, **sizes)
    shares = [sharding.row_share(mesh, process) for process in sorted(set(processes))]
    assert shares == expected


def test_a_process_without_a_device_is_told_so():
    with pytest.raises(ValueError, match="leaves process 1 without a device"):
        sharding.row_share(mesh_of([0, 0], fsdp=2), 1)


@pytest.mark.parametrize(
    ("processes", "sizes", "num_kv_heads", "expected"),
    [
        ([0, 0, 1, 1], {"fsdp": 4}, 8, [[0], [1], [2], [3]]),
        ([0, 0, 1, 1], {"fsdp": 2, "sequence": 2}, 8, [[0, 1], [2, 3]]),
        # Neighbours of the mesh in two processes, as on a torus: with and without a gain.
        ([0, 1, 0, 1], {"fsdp": 2, "sequence": 2}, 8, [[0, 2], [1, 3]]),
        ([0, 1, 0, 1], {"data": 2, "tensor": 2}, 8, [[0, 2], [1, 3]]),
        ([0, 0, 1, 1], {"tensor": 4}, 8, [[0, 1, 2, 3]]),
        # Key heads that do not divide further: what is left splits rows.
        ([0, 0, 0, 0], {"sequence": 2, "tensor": 2}, 2, [[0, 1], [2, 3]]),
        ([0, 0, 0, 0], {"sequence": 4}, 2, [[0, 1], [2, 3]]),
    ],
)
def test_sampling_puts_a_row_s_devices_into_one_process(processes, sizes, num_kv_heads, expected):
    found = sharding.gathered_devices(mesh_of(processes, **sizes), num_kv_heads)
    assert [[device.id for device in row] for row in found] == expected


def test_overlapping_rows_are_refused():
    with pytest.raises(ValueError, match=r"mesh: .*multiple or a divisor of the processes"):
        sharding.row_share(mesh_of([0, 0, 0, 1, 1, 1], fsdp=3, tensor=2), 0)


def test_a_flat_mesh_splits_nothing():
    flat = AbstractMesh((1, 1, 1, 1), sharding.MESH_AXES)
    assert partition_spec(("vocab", "embed"), (8, 8), flat) == PartitionSpec(None, None)


def test_axes_must_name_every_dimension():
    with pytest.raises(ValueError, match="do not name"):
        partition_spec(("batch",), (2, 3), CUBE)


def test_optimizer_moments_follow_their_parameters():
    _, shapes = nnx.split(abstract_model(small_config()))
    state = jax.eval_shape(optax.adam(1e-3).init, shapes)
    mesh = make_mesh(MeshConfig(), jax.devices()[:1])
    moments = sharding.shardings(state, mesh)[0]
    params = sharding.shardings(shapes, mesh)
    assert jax.tree.leaves(moments.mu) == jax.tree.leaves(params)
    assert len(jax.tree.leaves(params)) == len(jax.tree.leaves(shapes))
    assert moments.count.spec == PartitionSpec()


def test_all_remaining_devices():
    assert make_mesh(MeshConfig(fsdp=-1)).shape["fsdp"] == jax.device_count()


@pytest.mark.parametrize("sizes", [{"data": 0}, {"fsdp": -1, "tensor": -1}, {"tensor": -2}])
def test_impossible_sizes(sizes):
    with pytest.raises(ValueError, match="mesh: data="):
        MeshConfig(**sizes)


def test_too_few_devices_names_the_remedy():
    with pytest.raises(ValueError, match="xla_force_host_platform_device_count"):
        make_mesh(MeshConfig(data=1000))
    with pytest.raises(ValueError, match="does not fit"):
        make_mesh(MeshConfig(data=7, fsdp=-1), jax.devices()[:1])


def test_without_a_mesh_nothing_is_constrained():
    array = jnp.ones((2, 3))
    assert sharding.constrain(array, "batch", "length") is array


def test_a_cpu_can_be_split_into_devices():
    # In a process of its own: devices are counted once.
    code = (
        "from medr_jax.sharding import MeshConfig, make_mesh;"
        "print(make_mesh(MeshConfig(data=-1, cpu_devices=2)).shape['data'])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    environment["JAX_PLATFORMS"] = "cpu"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "2", done.stderr
