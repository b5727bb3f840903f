"""Every primary config and every experiment composes, and to the dataclasses that own it."""

import ast
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from experiments import _schemas

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
ENTRY_POINTS = sorted(p for p in (ROOT / "experiments").glob("*.py") if p.name[0] != "_")
EXPERIMENTS = sorted((CONFIGS / "experiment").glob("*.yaml"))


def hydra_groups(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """Arguments of ``@entry_point("name", "group", ...)`` in an entry point, read as text."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "entry_point":
            name, *groups = [ast.literal_eval(argument) for argument in node.args]
            return name, tuple(groups)
    return None


def composed(name: str, groups: tuple[str, ...], overrides: list[str]):
    _schemas.register(*groups)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, overrides)


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=lambda p: p.stem)
def test_entry_points_are_thin_documented_and_compose(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring and f"python -m experiments.{path.stem}" in docstring
    found = hydra_groups(path)
    if found is None:
        return
    name, groups = found
    typed = OmegaConf.to_object(composed(name, groups, []))
    for group in groups:
        expected = _schemas.SCHEMAS[group].split(":")[1]
        assert type(typed[group]).__name__ == expected


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_experiments_compose(path):
    used = [
        (name, groups)
        for name, groups in filter(None, map(hydra_groups, ENTRY_POINTS))
        if name in path.read_text(encoding="utf-8").split("\n", 1)[0]
    ]
    assert used, "the first line of an experiment names the commands it is for"
    for name, groups in used:
        OmegaConf.to_object(composed(name, groups, [f"experiment={path.stem}"]))


def test_a_typo_is_refused():
    with pytest.raises(Exception, match="no_such_field"):
        composed("build_graph", ("graph", "paths"), ["graph.no_such_field=1"])


def test_option_files_hold_overrides_of_known_fields_only():
    for group in _schemas.SCHEMAS:
        for path in sorted((CONFIGS / group).glob("*.yaml")):
            raw = OmegaConf.load(path)
            assert raw.defaults[0] == "schema" or path.stem in map(str, raw.defaults), path
