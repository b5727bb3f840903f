"""A dataset as rows: a batch as text, several datasets in one run."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from medr_jax.data import packing
from medr_jax.loader.pipeline import DataConfig, MixedDataset, evaluation_batches
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import WeightsConfig
from medr_jax.sft.dataset import TrajectoryData, describe_batch, folder_hash
from medr_jax.sft.task import make_settings, make_task
from medr_jax.testing.models import one_device
from medr_jax.testing.training import invented_dataset, invented_tokenizer, invented_trajectories
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig
from medr_jax.training.watch import WatchConfig

SPEC = importlib.util.spec_from_file_location("run_sft", Path(__file__).with_name("run_sft.py"))
run_sft = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run_sft)

TOKENIZER = invented_tokenizer()


def test_a_batch_as_text_has_a_line_a_trajectory_and_says_what_is_trained():
    trajectories = list(invented_trajectories(3, seed=4, hits=1))
    ledgers = [ledger_from_trajectory(t, TOKENIZER, get_protocol("compact")) for t in trajectories]
    row_length = len(ledgers[0]) + len(ledgers[1])
    packed = packing.pack(ledgers, row_length)
    (batch,) = evaluation_batches(packed, DataConfig(), batch_rows=4)  # and rows of padding
    lines = list(describe_batch(TOKENIZER, batch))
    assert [(line["row"], line["segment"]) for line in lines] == [(0, 1), (0, 2), (1, 1)]
    for line, trajectory, ledger in zip(lines, trajectories, ledgers, strict=True):
        np.testing.assert_array_equal(line["token_ids"], ledger.token_ids)
        question = TOKENIZER.normalize(trajectory.question.text)
        assert question in line["text"] and question not in line["trained_text"]
        assert "associated genes" not in line["trained_text"], "what a tool said is not trained on"
        assert TOKENIZER.normalize(trajectory.turns[0].thought) in line["trained_text"]


@pytest.fixture
def mixed_task(dataset, compile_cache, tmp_path):
    """A run of the dataset with another that knows nothing of tools: its folder, the task."""
    other = invented_dataset(tmp_path / "other", train=8, dev=1, seed=9, hits=1)
    data = TrajectoryData(path=dataset, tokenizer=TOKENIZER, cache_dir=tmp_path / "packed")
    mesh = one_device()
    settings = make_settings(
        data,
        run_sft.MODEL,
        mesh,
        OptimizerConfig(),
        DataConfig(row_length=128, dev_split="", mix=[MixedDataset(path=str(other), share=0.25)]),
        TrainingConfig(num_steps=1, batch_rows=8),
        weights=WeightsConfig(),
        weights_hash="",
        lora=LoraConfig(),
        watch=WatchConfig(),
    )
    with jax.set_mesh(mesh):
        return other, make_task(settings, data, tmp_path / "run", {})


def test_a_share_of_the_rows_comes_from_another_dataset(mixed_task):
    other, made = mixed_task
    theirs, own = (
        {row.tobytes() for row in rows.token_ids} for rows in (made.rows.mixed[0], made.rows.train)
    )
    assert not theirs & own
    batches = [made.task.source.next_batch(None)["token_ids"] for _ in range(4)]
    origins = [row.tobytes() in theirs for batch in batches for row in batch]
    assert sum(origins) == 8, "a quarter of 32 rows"
    assert made.task.identity["mixed"] == [folder_hash(other)]
    assert made.task.evaluate is None, "without a dev split nothing is held out"
