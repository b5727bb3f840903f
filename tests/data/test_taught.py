"""A teacher's trajectories published as a dataset."""

from collections import Counter

import msgspec
import pytest

from medr_jax import jsonl
from medr_jax.data import taught as publishing
from medr_jax.data import tfds_builder
from medr_jax.data.synthesize import synthesize
from medr_jax.endpoint.usage import Usage
from medr_jax.questions.config import QuestionConfig
from medr_jax.tools.runtime import ToolsConfig
from medr_jax.trajectories.config import SynthesisConfig
from medr_jax.trajectories.teacher import Taught, TeacherConfig
from medr_jax.trajectories.workshop import Setup


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    out = tmp_path_factory.mktemp("made")
    questions = QuestionConfig(
        num_train=20, num_dev=6, num_test=6, dev_fraction=0.2, test_fraction=0.2
    )
    synthesis = SynthesisConfig(num_workers=1, seeds_per_job=16, num_shards=1)
    synthesize(
        graph_path=toy.graph,
        index_path=toy.index,
        question_config=questions,
        tools_config=ToolsConfig(),
        config=synthesis,
        out=out,
    )
    setup = Setup(
        graph_path=str(toy.graph),
        index_path=str(toy.index),
        questions=questions,
        tools=ToolsConfig(),
        synthesis=synthesis,
    )
    return setup.open(), out / "dataset"


def test_the_teachers_split_is_replaced_and_the_others_stay(made, tmp_path):
    workshop, source = made
    expert = list(tfds_builder.read_trajectories(source, "train"))
    teachers = [msgspec.structs.replace(row, policy="m") for row in expert[:5]]
    taught = Taught(
        trajectories=teachers,
        rejections=Counter(wrong_answer=2),
        notes=Counter({"rewrite: an empty thought": 1}),
        given_up=1,
        usage=Usage(input_tokens=90, output_tokens=10),
    )
    outcome = publishing.publish(workshop, taught, source, tmp_path, TeacherConfig(), "m at x")
    dataset = tmp_path / "dataset"
    assert list(tfds_builder.read_trajectories(dataset, "train")) == teachers
    assert list(tfds_builder.read_trajectories(dataset, "dev")) == list(
        tfds_builder.read_trajectories(source, "dev")
    )
    assert outcome.counts["train"] == 5 and outcome.counts["rejected"] == 2
    schemas = [tfds_builder.read_metadata(path)["tool_schemas"] for path in (source, dataset)]
    assert schemas[0] == schemas[1]
    (card,) = jsonl.read(tmp_path / "card.json", dict)
    assert card["facts"]["teacher"] == "m at x" and card["facts"]["teacher_tokens"] == 100
    shown = (tmp_path / "card.md").read_text(encoding="utf-8")
    assert "wrong answer" in shown and "questions given up: 1" in shown
