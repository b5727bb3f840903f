"""Rollouts of a model that was never trained, and the trainer's view of their tokens."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh

from medr_jax import sharding
from medr_jax.agent.drivers import run_slots
from medr_jax.agent.loop import AgentLimits, token_episode
from medr_jax.data.packing import pack
from medr_jax.models.logprobs import token_logprobs
from medr_jax.models.transformer import Transformer
from medr_jax.sampling.engine import Engine, EngineConfig
from medr_jax.testing.models import small_config, small_model
from medr_jax.testing.tokens import byte_tokenizer, make_question
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import get_protocol

TOKENIZER = byte_tokenizer()
PROTOCOL = get_protocol("compact")
LIMITS = AgentLimits(max_malformed=3, max_completion_tokens=80, max_total_tokens=768)
LETTERS = TOKENIZER.encode("abcdefgh")
STOP_IDS = PROTOCOL.stop_ids(TOKENIZER)
BANNED = tuple(set(range(TOKENIZER.vocab_size)).difference(LETTERS, STOP_IDS))
"""Of a few letters and the end of a turn such a model makes malformed turns: it is told so, and
goes on in another."""


def speaking_model(**changes: object) -> Transformer:
    """``small_model`` with the byte tokenizer's vocabulary."""
    config = small_config(vocab_size=TOKENIZER.vocab_size, max_length=LIMITS.max_total_tokens)
    return small_model(dataclasses.replace(config, **changes))


def sampled_ledgers(
    model: Transformer, mesh: Mesh, config: EngineConfig, questions: Sequence[str]
) -> list[Ledger]:
    """Two rollouts of each question, in several turns; the ledgers hold the engine's logprobs."""
    engine = Engine(
        model,
        config,
        mesh=mesh,
        stop_ids=STOP_IDS,
        pad_id=PROTOCOL.pad_id(TOKENIZER),
        banned_ids=BANNED,
    )
    episodes = (
        token_episode(make_question(text), TOKENIZER, PROTOCOL, LIMITS, rollout_id=f"{text}/{i}")
        for text in questions
        for i in range(2)
    )
    return [episode.ledger for episode in run_slots(episodes, engine, tools=None)]


def logprob_differences(
    model: Transformer,
    mesh: Mesh,
    ledgers: Sequence[Ledger],
    row_length: int,
    temperature: float = 1.0,
) -> np.ndarray:
    """|engine - trainer| of every sampled token, the ledgers packed into rows on ``mesh``."""
    packed = pack(ledgers, row_length)
    graph, params = nnx.split(model)

    @jax.jit
    def trainer(params: nnx.State, rows: dict[str, jax.Array]) -> jax.Array:
        model = nnx.merge(graph, params)
        hidden = model(rows["token_ids"], rows["positions"], rows["segment_ids"])
        targets = rows["target_ids"]
        return token_logprobs(model, hidden, targets, temperature=temperature, banned_ids=BANNED)

    names = ("token_ids", "positions", "segment_ids", "target_ids")
    # A multiple of any number of devices that rows are split over in tests.
    extra = -packed.num_rows % 8
    rows = {name: np.pad(getattr(packed, name), ((0, extra), (0, 0))) for name in names}
    with jax.set_mesh(mesh):
        params = jax.device_put(params, sharding.shardings(params, mesh))
        placed = {
            name: jax.device_put(
                jnp.asarray(array), sharding.named_sharding(mesh, ("batch", "length"), array.shape)
            )
            for name, array in rows.items()
        }
        logprobs_RT = np.asarray(trainer(params, placed))
    differences = []
    places = zip(packed.trajectory_rows, packed.trajectory_offsets, strict=True)
    for ledger, (row, offset) in zip(ledgers, places, strict=True):
        # A position predicts the next token: that of token t is at t - 1.
        sampled = np.flatnonzero(ledger.loss_mask)
        differences.append(ledger.logprobs[sampled] - logprobs_RT[row, offset + sampled - 1])
    return np.abs(np.concatenate(differences))
