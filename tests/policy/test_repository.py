"""Rules of the house that a reviewer would otherwise have to remember."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "medr_jax").rglob("*.py"), *(ROOT / "experiments").glob("*.py")])


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_short_and_documented(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert path.name != "utils.py"
    if text.strip():
        assert text.startswith('"""'), "a module says in its first line what it is for"


def test_import_contracts_hold():
    lint = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if lint is None:
        pytest.skip("import-linter is not installed (extra 'dev')")
    result = subprocess.run(
        [lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout[-3000:]


def test_synthesis_side_starts_without_jax():
    code = (
        "import sys, medr_jax.data.tfds_builder, medr_jax.data.synthesize, "
        "medr_jax.launch.stages, medr_jax.tools.runtime, medr_jax.tokens.ledger\n"
        "print([m for m in ('jax', 'flax', 'optax', 'grain', 'tensorflow') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_readme_commands_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    modules = set(re.findall(r"python -m experiments\.(\w+)", readme))
    assert modules
    for module in modules:
        assert (ROOT / "experiments" / f"{module}.py").is_file(), module
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", readme):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_locks_cover_what_setup_asks_for_and_name_no_registry():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    required = re.search(r"INSTALL_REQUIRES = \[(.*?)\]", setup, re.S).group(1)
    names = re.findall(r'"([a-z0-9-]+)', required)
    for version in ("py311", "py312", "py313"):
        lock = (ROOT / "requirements" / f"{version}.txt").read_text(encoding="utf-8")
        assert "://" not in lock
        pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.M))
        assert set(names) <= pinned, (version, set(names) - pinned)
        assert lock.count("--hash=sha256:") >= len(pinned)
