"""Trackers: what they are shown, and who is told to install them."""

import sys
import types

import pytest

from medr_jax.training import watch
from medr_jax.training.watch import WatchConfig, open_trackers


def test_nothing_is_asked_for_nothing_is_opened(tmp_path):
    assert open_trackers(WatchConfig(), tmp_path, after_step=-1, identity={}) == []


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (WatchConfig(tensorboard=True), "tensorboardX"),
        (WatchConfig(wandb_project="p"), "wandb"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch, config, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"needs {name}: pip install 'medr-jax\[track\]'"):
        open_trackers(config, tmp_path, after_step=-1, identity={})


class Fake(types.ModuleType):
    """Stands in for wandb: remembers its calls."""

    def __init__(self):
        super().__init__("wandb")
        self.calls = []

    def __getattr__(self, name):
        def call(*arguments, **named):
            self.calls.append((name, arguments, named))
            return self

        return call


def test_wandb_goes_on_in_the_same_run_on_an_axis_of_our_steps(tmp_path, monkeypatch):
    fake = Fake()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    config = WatchConfig(wandb_project="p")
    (tracker,) = open_trackers(config, tmp_path, after_step=4, identity={"a": 1})
    tracker.append("train", 5, {"loss": 2.0})
    tracker.close()
    names = [name for name, _, _ in fake.calls]
    assert names == ["init", "define_metric", "log", "finish"]
    init = fake.calls[0][2]
    assert (init["project"], init["id"], init["mode"]) == ("p", tmp_path.name, "offline")
    assert fake.calls[2][1] == ({"optimizer_step": 5, "train/loss": 2.0},)


def test_tensorboard_writes_points_and_hides_those_that_come_again(tmp_path):
    pytest.importorskip("tensorboardX", reason="writes its event files (extra 'track')")
    config = WatchConfig(tensorboard=True)
    for after, steps in ((-1, (1, 2, 3)), (2, (3, 4))):
        (tracker,) = open_trackers(config, tmp_path, after_step=after, identity={})
        for step in steps:
            tracker.append("train", step, {"loss": 1.0 / step})
        tracker.close()
    files = list((tmp_path / "tensorboard").iterdir())
    assert files and all(file.stat().st_size > 100 for file in files)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spike_factor": 0.5}, "watch.spike_factor=0.5"),
        ({"spike_factor": -1.0}, "watch.spike_factor=-1"),
        ({"peak_flops": -1.0}, "watch.peak_flops"),
        ({"peer_timeout_s": 0.0}, "watch.peer_timeout_s=0"),
    ],
)
def test_wrong_settings_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        watch.WatchConfig(**fields)
