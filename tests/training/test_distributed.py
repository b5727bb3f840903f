"""Processes are named completely or not at all."""

import pytest

from medr_jax.training.distributed import DistributedConfig, connect


def test_one_process_connects_to_nothing():
    connect(DistributedConfig())


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
