"""Slices by name, and the meshes that fill them."""

import math

import pytest

from medr_jax.launch.compile.topologies import LONG, SLICES, parse_topology
from medr_jax.sharding import MESH_AXES


@pytest.mark.parametrize(
    ("name", "grid", "chips"),
    [
        # v5p names count TensorCores, two a chip: 128 chips would be the likely mistake
        ("v5p-128", "v5p:4x4x4", 64),
        ("v5p-64", "v5p:2x4x4", 32),
        # v5e and v6e names count chips
        ("v5e-256", "v5e:16x16", 256),
        ("v6e-64", "v6e:8x8", 64),
        ("v5p:2x2x1", "v5p:2x2x1", 4),
        ("v6e:2x4", "v6e:2x4", 8),
    ],
)
def test_names(name, grid, chips):
    topology = parse_topology(name)
    assert (topology.grid, topology.chips) == (grid, chips)
    assert topology.chip.hbm_gib == {"v5e": 15.75, "v5p": 95.74, "v6e": 31.25}[grid[:3]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v5p-3", "unknown; use v5e-64"),
        ("v9:2x2", "generations: v5e, v5p, v6e"),
        ("v5p:4x4", "3 sizes"),
        ("v5e:2x2x2", "2 sizes"),
        ("v5e:0x4", "at least 1"),
        ("", "unknown"),
    ],
)
def test_unknown_names_are_refused(name, words):
    with pytest.raises(ValueError, match=words):
        parse_topology(name)


def test_slices_must_be_counted():
    with pytest.raises(ValueError, match="num_slices=0"):
        parse_topology("v5e-64", 0)


@pytest.mark.parametrize("name", [*SLICES, "v5p:2x2x1", "v5e:2x2", "v6e:1x1", "v5e:4x8"])
@pytest.mark.parametrize("num_slices", [1, 2])
def test_every_default_mesh_fills_its_slices(name, num_slices):
    topology = parse_topology(name, num_slices)
    for mesh in (
        topology.mesh(serve=False),
        topology.mesh(serve=False, row_length=LONG + 1),
        topology.mesh(serve=True),
    ):
        assert math.prod(getattr(mesh, axis) for axis in MESH_AXES) == topology.chips
        assert mesh.data % num_slices == 0


def test_to_serve_weights_are_not_split_over_fsdp():
    for name in SLICES:
        assert parse_topology(name).mesh(serve=True).fsdp == 1
