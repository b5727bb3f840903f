"""Builds an index and is killed in the middle, as by a power cut: ``killed_build.py FOLDER``."""

import os
import signal
import sys
from pathlib import Path

from medr_jax.retrieval.config import IndexConfig
from medr_jax.retrieval.corpus import Document
from medr_jax.retrieval.index import build_index

NUM_DOCUMENTS, CHECKPOINT, KILLED_AT = 300, 50, 180


def documents(killed_at: int = -1):
    """A corpus whose documents differ; the process ends at the given one."""
    for number in range(NUM_DOCUMENTS):
        if number == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        text = f"Fever number {number}. {'Cough. ' * (number % 7)}"
        yield Document(doc_id=f"D:{number:03}", kind=f"k{number % 3}", title="f", segments=(text,))


if __name__ == "__main__":
    build_index(
        documents(KILLED_AT), Path(sys.argv[1]), IndexConfig(checkpoint_documents=CHECKPOINT)
    )
