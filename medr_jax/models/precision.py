"""float32 that is float32 on every device.

Unless told otherwise XLA rounds the operands of a float32 product to TF32 on a GPU and to
bfloat16 on a TPU: sampler and trainer then differ by more than rounding, and so do two devices.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def exact(dtype: Any) -> contextlib.AbstractContextManager:
    """Meanwhile products are traced without rounding their operands, if ``dtype`` is float32.

    Those of bfloat16 operands are exact as they are. A derivative that JAX makes of what was
    traced so is exact, too; one that is written by hand must be traced so itself. That of the
    splash kernel is not. JAX's own ``jax_default_matmul_precision`` does not count meanwhile.
    """
    if jnp.dtype(dtype) != jnp.float32:
        return contextlib.nullcontext()
    return jax.default_matmul_precision("highest")


def exactly(method: Callable) -> Callable:
    """A method of a module, under ``exact`` for its ``config.dtype``."""

    @functools.wraps(method)
    def run(self, *arguments, **named):
        with exact(self.config.dtype):
            return method(self, *arguments, **named)

    return run
