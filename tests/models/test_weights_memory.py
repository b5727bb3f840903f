"""Loading needs little memory beside the parameters."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location(
    "weights_memory", Path(__file__).with_name("weights_memory.py")
)
weights_memory = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(weights_memory)


@pytest.mark.slow
def test_host_memory_is_bounded(tmp_path):
    found = weights_memory.main(tmp_path / "checkpoint")
    # Interpreter and JAX, 200 MB, are part of the 500. All of the layers of one parameter on
    # the host, as np.stack would have them, are 512 MB more than is measured.
    allowed = found["parameters_mb"] + 2 * found["largest_tensor_mb"] + 500
    assert found["load_peak_mb"] <= allowed
    assert found["save_peak_mb"] <= allowed
