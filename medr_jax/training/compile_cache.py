"""XLA's compiled programs on disk, so that a second start does not compile again."""

from pathlib import Path

import jax


def enable_compile_cache(path: str | Path) -> None:
    """Keeps compiled programs under ``path``, however small or quick; "" changes nothing."""
    if not str(path):
        return
    folder = Path(path).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
