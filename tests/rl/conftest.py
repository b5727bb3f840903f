"""Rollouts made by hand, and a small policy that can be trained within seconds."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medr_jax.agent.loop import AgentLimits
from medr_jax.rl import loss
from medr_jax.rl.config import LossAgg, RLConfig
from medr_jax.rl.rewards import Terms
from medr_jax.rl.rollout import Rollout
from medr_jax.rl.train import Settings, Start, World
from medr_jax.sampling.engine import EngineConfig
from medr_jax.testing.models import one_device, small_config
from medr_jax.testing.tokens import byte_tokenizer, make_question
from medr_jax.testing.training import random_model
from medr_jax.tokens.ledger import NO_POLICY
from medr_jax.tokens.protocol import Role
from medr_jax.training.loop import TrainingConfig
from medr_jax.training.optimizer import OptimizerConfig, Schedule
from medr_jax.training.step import gradients
from medr_jax.types import Answer, Status, ToolResult, Trajectory, Turn

SAMPLING = {
    "num_slots": 8,
    "max_length": 64,
    "chunk_steps": 8,
    "for_training": True,
    "prefill_rows": 8,
    "prefill_widths": [32],
}
ROLES = (Role.USER, Role.CALL, Role.END, Role.TOOL, Role.ANSWER, Role.END)


def make_terms(right=True, **changes) -> Terms:
    values = {"expert": 0.5, "efficiency": 1.0, "format": 1.0, "unsupported": 0.0}
    return Terms(**{"task": float(right), "right": right, **values, **changes})


def make_rollout(group="000000.0.0", number=0, *, right=True, status=Status.OK, **changes):
    """Six tokens: prompt, a call of two, a result, an answer of two; logprobs as measured."""
    roles = np.array(ROLES, np.int8)
    mask = np.isin(roles, [Role.CALL, Role.ANSWER, Role.END])
    logprobs = np.where(mask, -0.5, np.nan).astype(np.float32)
    question = make_question(question_id=changes.pop("question_id", "q"))
    turns = (
        Turn(results=(ToolResult(status=Status.OK, text="no results"),)),
        Turn(answer=Answer(text="fbn1")),
    )
    values = {
        "token_ids": np.arange(1, 7, dtype=np.int32) + 10 * number,
        "roles": roles,
        "turns": np.array([-1, 0, 0, 0, 1, 1], np.int32),
        "loss_mask": mask,
        "logprobs": logprobs,
        "policy_versions": np.where(mask, 0, NO_POLICY).astype(np.int32),
        "terms": make_terms(right),
        "old_logprobs": np.where(mask, -0.5, -9.0).astype(np.float32),
        "ref_logprobs": np.where(mask, -0.5, -9.0).astype(np.float32),
    }
    return Rollout(
        group_id=group,
        rollout_id=f"{group}/{number}",
        trajectory=Trajectory(
            trajectory_id=f"{group}/{number}", question=question, turns=turns, status=status
        ),
        **{**values, **changes},
    )


class NoTools:
    """The policy under test never gets as far as a call."""

    def call_many(self, calls):
        return [ToolResult(status=Status.OK, text="no results") for _ in calls]


def mark(trajectory, num_tokens):
    """Right by the rollout's own name: an outcome that differs within groups and is repeatable."""
    return make_terms(sum(trajectory.trajectory_id.encode()) % 2 == 0)


class Lab:
    """What a small run needs; ``settings`` takes changes of the RL config."""

    rollout = staticmethod(make_rollout)
    terms = staticmethod(make_terms)

    @staticmethod
    def start() -> Start:
        tokenizer = byte_tokenizer()
        config = small_config(
            vocab_size=tokenizer.vocab_size, num_layers=1, scan_layers=False, max_length=128
        )
        return Start(
            model=random_model(config),
            tokenizer=tokenizer,
            protocol="compact",
            mesh=one_device(),
            fingerprint="start",
        )

    @staticmethod
    def world(**changes) -> World:
        values = {
            "questions": [make_question(f"gene {n} ?", question_id=f"q{n}") for n in range(5)],
            "dev_questions": [],
            "tools": NoTools(),
            "dev_tools": NoTools(),
            "mark": mark,
        }
        return World(**{**values, **changes})

    @staticmethod
    def settings(training=None, sampling=None, **rl) -> Settings:
        small = {"num_prompts": 2, "group_size": 4, "micro_rows": 2, "row_length": 64}
        return Settings(
            rl=RLConfig(**{**small, **rl}),
            optimizer=OptimizerConfig(
                learning_rate=1e-2, schedule=Schedule.constant, warmup_steps=1
            ),
            training=TrainingConfig(
                **{"num_steps": 3, "eval_every": 0, "checkpoint_every": 1, **(training or {})}
            ),
            sampling=EngineConfig(**{**SAMPLING, **(sampling or {})}),
            limits=AgentLimits(max_completion_tokens=8, max_total_tokens=64, max_malformed=0),
        )

    replace = staticmethod(dataclasses.replace)

    @staticmethod
    def gradients(num_micro: int) -> dict[str, float]:
        """By way of aggregation, of the loss of four rows of unlike numbers of sampled tokens."""
        rng = np.random.default_rng(0)
        shape = (4, 6)
        mask = rng.random(shape) < np.array([[0.9], [0.2], [0.6], [0.4]])
        mask[:, 0] = True
        inputs, old, gains = rng.normal(size=(3, *shape)).astype(np.float32)
        batch = {
            "loss_mask": mask.astype(np.int32),
            "segment_ids": np.tile([1, 1, 1, 2, 2, 2], (4, 1)).astype(np.int32),
            "advantages": gains,
            "old_logprobs": old,
            "inputs": inputs,
        }

        def loss_fn(agg):
            config = RLConfig(loss_agg=agg, row_length=10)

            def one(params, micro, rng):
                logprobs = params * micro["inputs"] + micro["old_logprobs"]
                return loss.policy_loss(logprobs, None, micro, config)

            return one

        @jax.jit
        def all_of_them(cut):
            rng, params = jax.random.key(0), jnp.float32(0.1)
            return {a.value: gradients(loss_fn(a), params, cut, rng)[0] for a in LossAgg}

        cut = {name: array.reshape(num_micro, -1, 6) for name, array in batch.items()}
        return jax.tree.map(float, all_of_them(cut))


@pytest.fixture(scope="session")
def lab():
    return Lab
