"""Every mutation still applies; with ``-m long``, the tests notice every one of them.

python -m pytest -m long tests/mutation -v
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("mutations", Path(__file__).with_name("mutations.py"))
mutations = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(mutations)
MUTATIONS = mutations.MUTATIONS

ROOT = Path(__file__).resolve().parents[2]
TESTS_FAILED = 1  # pytest's exit code; 2 and up mean that they could not run


def mutated(mutation) -> str:
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    for old, new in mutation.changes:
        assert text.count(old) == 1, f"{mutation.file} holds {text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_still_applies(mutation):
    compile(mutated(mutation), mutation.file, "exec")


@pytest.mark.long
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_is_noticed(mutation, tmp_path):
    for name in ("medr_jax", "experiments", "tests", "configs", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    (tmp_path / mutation.file).write_text(mutated(mutation), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *mutation.tests],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert result.returncode == TESTS_FAILED, result.stdout[-2000:] + result.stderr[-2000:]
