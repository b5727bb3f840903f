"""Trackers: what they are shown, and who is told to install them."""

import struct
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


def events(folder):
    """(step, tag, value) of event files, and ("purge", step) where a writer hides later ones.

    A record is its length, a checksum, the event and a checksum.
    """
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    found = []
    for file in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime_ns):
        content = file.read_bytes()
        while content:
            (size,) = struct.unpack_from("<Q", content)
            event = Event.FromString(content[12 : 12 + size])
            content = content[16 + size :]
            if event.session_log.status == SessionLog.START:
                found.append(("purge", event.step))
            found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
    return found


def test_tensorboard_gets_every_number_and_hides_those_that_come_again(tmp_path):
    pytest.importorskip("tensorboardX", reason="writes its event files (extra 'track')")
    config = WatchConfig(tensorboard=True)
    for after, steps in ((-1, (1, 2, 3)), (2, (3, 4))):  # killed, the checkpoint is of step 2
        (tracker,) = open_trackers(config, tmp_path, after_step=after, identity={})
        for step in steps:
            tracker.append("train", step, {"loss": 1.0 / step, "grad_norm": 0.5})
        tracker.append("dev", steps[-1], {"loss/model": 2.0})
        tracker.close()
    found = events(tmp_path / "tensorboard")
    assert ("purge", 3) in found, "points of step 3 on are of the killed run"
    again = found[found.index(("purge", 3)) + 1 :]
    assert again == [
        (3, "train/loss", pytest.approx(1 / 3)), (3, "train/grad_norm", 0.5),
        (4, "train/loss", 0.25), (4, "train/grad_norm", 0.5), (4, "dev/loss/model", 2.0),
    ]  # fmt: skip


@pytest.mark.slow  # starts wandb's own process
def test_wandb_keeps_every_number_offline(tmp_path):
    wandb = pytest.importorskip("wandb", reason="writes its run folder (extra 'track')")
    config = WatchConfig(wandb_project="p")
    (tracker,) = open_trackers(config, tmp_path, after_step=-1, identity={"data": {"mix": []}})
    tracker.append("train", 5, {"loss": 2.125, "grad_norm": 0.375})
    tracker.append("dev", 5, {"token_accuracy/end": 0.625})
    tracker.close()
    wandb.teardown()  # as when Python ends: its process has written everything then
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    content = file.read_bytes()  # records are not compressed
    for written in (b"optimizer_step", b"train/loss", b"2.125", b"train/grad_norm", b"0.375",
                    b"dev/token_accuracy/end", b"0.625"):  # fmt: skip
        assert written in content


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
