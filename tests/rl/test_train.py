"""A small run from start to checkpoint, its gates, and its exact resumption."""

import numpy as np
import pytest

from medr_jax.rl.pace import TIMINGS
from medr_jax.rl.train import sample_only, train_rl
from medr_jax.rl.trust import TrustError
from medr_jax.training.checkpoint import Checkpoints
from medr_jax.training.metrics import read_metrics


def curve(out):
    return [
        {name: value for name, value in record.items() if name not in TIMINGS}
        for record in read_metrics(out / "metrics.jsonl")
    ]


@pytest.mark.slow
def test_a_run_trains_reports_and_checks(lab, tmp_path):
    settings = lab.settings({"checkpoint_every": 3})
    outcome = train_rl(lab.start(), lab.world(), settings, tmp_path)
    records = curve(tmp_path)
    assert [record["step"] for record in records] == [1, 2, 3] and outcome.counts["steps"] == 3
    timed = [
        record["step"]
        for record in read_metrics(tmp_path / "metrics.jsonl")
        if "update_s" in record
    ]
    assert timed == [1, 2], "the run ends after step 3"
    first = records[0]
    assert first["policy/reference_kl"] == 0.0
    for record in records:
        # One function samples and learns: the gap is rounding, over prefill and decoding.
        assert record["sampler/gap_max"] < 1e-4
        assert record["grad_norm"] > 0 and np.isfinite(record["loss"])
        assert 0 < record["policy/entropy"] < np.log(300)
    assert (tmp_path / "checkpoints" / "3").is_dir()


def test_unfit_settings_are_refused_before_anything_runs(lab, tmp_path):
    for settings, message in (
        (lab.settings(row_length=32), "rl.row_length=32: must hold the longest rollout"),
        (lab.settings(sampling={"max_length": 63}), "sampling.max_length=63"),
    ):
        with pytest.raises(ValueError, match=message):
            train_rl(lab.start(), lab.world(), settings, tmp_path)
    with pytest.raises(ValueError, match="use sampling=rl|for_training"):
        settings = lab.settings()
        sampling = lab.replace(settings.sampling, for_training=False)
        train_rl(lab.start(), lab.world(), lab.replace(settings, sampling=sampling), tmp_path)


def test_gradients_do_not_depend_on_micro_batches(lab):
    whole = lab.gradients(num_micro=1)
    assert all(whole.values())
    assert lab.gradients(num_micro=4) == pytest.approx(whole, rel=1e-5)


class Stop(Exception):
    """A kill right after a checkpoint."""


@pytest.mark.slow
def test_a_run_goes_on_exactly_from_any_step(lab, tmp_path, monkeypatch):
    rl = {"num_minibatches": 2, "num_epochs": 2}  # an iteration is four steps
    whole = train_rl(
        lab.start(), lab.world(), lab.settings({"num_steps": 6}, **rl), tmp_path / "whole"
    )
    out = tmp_path / "stopped"
    save = Checkpoints.save
    for stop_at in (1, 3, 4):  # within an iteration, within its second epoch, at its end

        def save_and_die(self, state, data, meta, stop_at=stop_at):
            save(self, state, data, meta)
            if int(state.step) == stop_at:
                self.wait()
                raise Stop

        monkeypatch.setattr(Checkpoints, "save", save_and_die)
        with pytest.raises(Stop):
            train_rl(lab.start(), lab.world(), lab.settings({"num_steps": 6}, **rl), out)
    monkeypatch.undo()
    again = train_rl(lab.start(), lab.world(), lab.settings({"num_steps": 6}, **rl), out)
    assert again.content_hash == whole.content_hash
    assert curve(out) == curve(tmp_path / "whole")


@pytest.mark.slow
def test_a_poisoned_policy_stops_before_anything_is_saved(lab, tmp_path):
    def broken(trajectory, num_tokens):
        return lab.terms(True, expert=float("nan"))

    with pytest.raises(TrustError, match="is nan"):
        train_rl(lab.start(), lab.world(mark=broken), lab.settings(), tmp_path)
    assert not list((tmp_path / "checkpoints").glob("[0-9]*"))


@pytest.mark.slow
def test_sampling_only_dumps_what_training_would_see(lab, tmp_path):
    settings = lab.settings({"num_steps": 1}, dump_every=1)
    train_rl(lab.start(), lab.world(), settings, tmp_path)
    groups, report = sample_only(lab.start(), lab.world(), settings)
    first = curve(tmp_path)[0]
    report = {name: value for name, value in report.items() if name not in TIMINGS}
    assert {name: first[name] for name in report} == pytest.approx(report)
    assert len(groups) == settings.rl.num_prompts
