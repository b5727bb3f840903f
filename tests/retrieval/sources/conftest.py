"""Small files of our own writing in the real formats."""

import gzip
import json

import pytest

from medr_jax.retrieval.sources.base import Skipped


@pytest.fixture
def read():
    """(documents by id, skipped) of one file."""

    def run(reader, path):
        skipped = Skipped()
        return {item.doc_id: item for item in reader(path, skipped)}, skipped

    return run


@pytest.fixture
def write(tmp_path):
    """Writes a file (gzip by its name) and gives its path."""

    def run(name, content):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        data = text.encode(errors="surrogatepass")
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return run
