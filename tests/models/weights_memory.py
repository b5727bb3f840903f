"""Loads and saves a random checkpoint; prints what memory that took, as one JSON object.

    python tests/models/weights_memory.py FOLDER

Peaks are the kernel's (VmHWM), of processes that do nothing else. On a CPU the parameters lie
in host memory too: what loading needs beside them is ``peak - parameters``.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

MODEL = {
    "vocab_size": 65_536,
    "num_layers": 32,
    "embed_dim": 1024,
    "num_heads": 16,
    "num_kv_heads": 8,
    "head_dim": 64,
    "mlp_dim": 4096,
}


def main(folder: Path) -> dict[str, float]:
    """Megabytes: of the parameters, of the largest tensor, and peaks of the processes."""
    found: dict[str, float] = {}
    for task in ("create", "load", "save"):
        command = [sys.executable, __file__, str(folder), task]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found |= json.loads(out.splitlines()[-1])
    return found


def config(param_dtype: str = "float32"):
    """About 600 million parameters."""
    from medr_jax.models.config import ModelConfig

    return ModelConfig(**MODEL, init_std=0.02, param_dtype=param_dtype)


def create(folder: Path) -> dict[str, float]:
    """A bfloat16 checkpoint of random tensors, without a model."""
    import jax.numpy as jnp

    from medr_jax.models import hf_weights, tensor_files

    shapes = hf_weights.tensor_shapes(config())
    rng = np.random.default_rng(0)
    tensors = (
        (name, (0.02 * rng.standard_normal(shape, np.float32)).astype(jnp.bfloat16))
        for name, shape in shapes.items()
    )
    folder.mkdir(parents=True)
    tensor_files.write_folder(folder, shapes, "bfloat16", tensors, max_file_bytes=2**29)
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    return {"parameters_mb": sum(sizes) * 4 / 1e6, "largest_tensor_mb": max(sizes) * 4 / 1e6}


def load(folder: Path) -> dict[str, float]:
    """Into float32 parameters."""
    from medr_jax.models import hf_weights
    from medr_jax.testing.models import one_device

    mesh = one_device()
    start, seconds = peak_mb(), time.perf_counter()
    hf_weights.load(folder, config(), mesh)
    seconds = time.perf_counter() - seconds
    return {"before_load_mb": start, "load_peak_mb": peak_mb(), "load_s": round(seconds, 1)}


def save(folder: Path) -> dict[str, float]:
    """Of float32 parameters, in float32, in files of half a gigabyte."""
    from medr_jax.models import hf_weights
    from medr_jax.testing.models import one_device

    model = hf_weights.load(folder, config(), one_device())
    seconds = time.perf_counter()
    hf_weights.save(model, folder / "out", max_file_bytes=2**29)
    seconds = time.perf_counter() - seconds
    return {"save_peak_mb": peak_mb(), "save_s": round(seconds, 1)}


def peak_mb() -> float:
    """Most resident memory of this process so far (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    target, *task = sys.argv[1:]
    run = {"create": create, "load": load, "save": save}[task[0]] if task else main
    print(json.dumps(run(Path(target)), indent=None if task else 1))
