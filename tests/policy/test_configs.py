"""Every primary config and every experiment composes, and to the dataclasses that own it."""

import ast
import dataclasses
import importlib
import re
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


def hydra_command(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """Config name and groups of an entry point, None where it takes plain arguments."""
    main = importlib.import_module(f"experiments.{path.stem}").main
    return (main.config_name, main.groups) if hasattr(main, "groups") else None


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
    found = hydra_command(path)
    if found is None:
        return
    name, groups = found
    typed = OmegaConf.to_object(composed(name, groups, []))
    for group in groups:
        expected = _schemas.SCHEMAS[group].split(":")[1]
        assert type(typed[group]).__name__ == expected
    for key, value in typed.items():  # Hydra takes "key=..." for the choice of an option file
        chosen = dataclasses.is_dataclass(value) or isinstance(value, dict)
        assert chosen or not (CONFIGS / key).is_dir(), key


def test_commands_that_train_before_they_start_have_all_that_training_reads():
    for name, groups in filter(None, map(hydra_command, ENTRY_POINTS)):
        if {"synthesis", "training"} <= set(groups):
            assert {"lora", "watch"} <= set(groups), name


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_experiments_compose(path):
    used = [
        (name, groups)
        for name, groups in filter(None, map(hydra_command, ENTRY_POINTS))
        if re.search(rf"^# For .*\b{name}\b", path.read_text(encoding="utf-8"), re.M)
    ]
    assert used, "a line '# For <commands>: ...' of an experiment names what it is for"
    wanted = leaves(OmegaConf.to_container(OmegaConf.load(path)))
    wanted = {key: value for key, value in wanted.items() if not key.startswith("defaults")}
    for name, groups in used:
        config = composed(name, groups, [f"experiment={path.stem}"])
        OmegaConf.to_object(config)
        got = leaves(OmegaConf.to_container(config, enum_to_str=True))
        # A value of the command's own config must not take the place of the experiment's.
        assert {key: got[key] for key in wanted if key in got} == {
            key: value for key, value in wanted.items() if key in got
        }, name


def leaves(config: dict) -> dict[str, object]:
    """ "group.field" -> value."""
    found = {}
    for key, value in config.items():
        inner = leaves(value) if isinstance(value, dict) else None
        found |= {key: value} if inner is None else {f"{key}.{k}": v for k, v in inner.items()}
    return found


def test_a_typo_is_refused():
    with pytest.raises(Exception, match="no_such_field"):
        composed("build_graph", ("graph", "paths"), ["graph.no_such_field=1"])


def test_option_files_hold_overrides_of_known_fields_only():
    for group in _schemas.SCHEMAS:
        for path in sorted((CONFIGS / group).glob("*.yaml")):
            raw = OmegaConf.load(path)
            assert raw.defaults[0] == "schema" or path.stem in map(str, raw.defaults), path


def test_the_slurm_launcher_composes():
    pytest.importorskip("submitit", reason="composes its launcher (extra 'sweep')")
    _schemas.register("paths")
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        overrides = ["hydra/launcher=slurm", "hydra.launcher.partition=gpu"]
        launcher = compose("sft", overrides, return_hydra_config=True).hydra.launcher
    assert launcher._target_.endswith("SlurmLauncher") and launcher.partition == "gpu"
    assert launcher.max_num_timeout == 3
