"""Processes are named completely or not at all."""

import jax
import pytest

from medr_jax.training.distributed import DistributedConfig, connect


def test_one_process_connects_to_nothing(monkeypatch):
    asked = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *a, **k: asked.append((a, k)))
    connect(DistributedConfig())
    assert not asked


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        # A TPU pod or Slurm is asked where nothing is given.
        ({"coordinator_address": "auto"}, ()),
        (
            {"coordinator_address": "host:1234", "num_processes": 3, "process_id": 1},
            ("host:1234", 3, 1),
        ),
    ],
)
def test_several_processes_connect_as_they_were_told(monkeypatch, fields, given):
    asked = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda *a, **k: asked.append((a, k)))
    connect(DistributedConfig(**fields))
    assert asked == [(given, {})]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"coordinator_address": "host:1234"}, "num_processes=0, process_id=-1; give"),
        (
            {"coordinator_address": "host:1234", "num_processes": 2, "process_id": 2},
            "process_id=2; give",
        ),
        (
            {"coordinator_address": "host", "num_processes": 2, "process_id": 0},
            "coordinator_address='host'",
        ),
        ({"num_processes": 2, "process_id": 0}, "belong to an address"),
        ({"coordinator_address": "auto", "process_id": 0}, "belong to an address"),
    ],
)
def test_what_is_missing_is_named(fields, message):
    with pytest.raises(ValueError, match=message):
        DistributedConfig(**fields)
