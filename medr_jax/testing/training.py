"""Made-up research to train on without a knowledge graph, and models that need no start-up."""

from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from medr_jax.data.tfds_builder import write_dataset
from medr_jax.models.config import ModelConfig
from medr_jax.models.transformer import Transformer, abstract_model
from medr_jax.testing.tokens import make_question
from medr_jax.tokens.protocol import get_protocol, texts
from medr_jax.tokens.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer
from medr_jax.types import Answer, Hit, Status, ToolCall, ToolResult, Trajectory, Turn

_SYLLABLES = ("ka", "lo", "mi", "ren", "tu", "vas", "pel", "ix", "dro", "syn", "thi", "gly")


def invented_trajectories(
    count: int, seed: int, *, hits: int = 3, split: str = "train"
) -> Iterator[Trajectory]:
    """Two turns each: search for a name, then copy the answer from the right hit and cite it."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        subject, *others = (_name(rng) for _ in range(hits))
        gene = f"{''.join(rng.choice(list('abcdefgh'), 3))}{rng.integers(1, 99)}"
        found = [Hit(doc_id="D:0", title=subject, snippet=f"associated genes : {gene}")]
        found += [
            Hit(doc_id=f"D:{i}", title=name, snippet=f"inheritance : {_name(rng)}")
            for i, name in enumerate(others, start=1)
        ]
        order = rng.permutation(hits)
        shown = tuple(
            Hit(
                doc_id=found[place].doc_id,
                title=found[place].title,
                snippet=found[place].snippet,
                label=label,
            )
            for label, place in enumerate(order, start=1)
        )
        search = ToolCall(name="search", arguments={"query": subject})
        yield Trajectory(
            trajectory_id=f"{split}-{number}",
            question=make_question(
                f"which gene is associated with {subject} ?",
                question_id=f"{split}-{number}",
                answer=gene,
                answer_id=f"GENE:{gene}",
                split=split,
                specialties=("eye",),
            ),
            turns=(
                Turn(
                    thought=f"look up {subject}",
                    calls=(search,),
                    results=(ToolResult(status=Status.OK, hits=shown),),
                ),
                Turn(thought=f"{subject} : {gene}", answer=Answer(text=gene, citations=("D:0",))),
            ),
            status=Status.OK,
        )


def invented_dataset(path: Path, *, train: int, dev: int, seed: int = 0, hits: int = 3) -> Path:
    """Writes a dataset of invented trajectories and returns its folder."""
    splits = {
        "train": list(invented_trajectories(train, seed, hits=hits)),
        "dev": list(invented_trajectories(dev, seed + 1, hits=hits, split="dev")),
    }
    write_dataset(path, splits, {})
    return path


def invented_tokenizer(vocab_size: int = 400) -> Tokenizer:
    """A small compact-protocol tokenizer of such trajectories."""
    protocol = get_protocol("compact")
    written = (text for t in invented_trajectories(50, seed=7) for text in texts(t, protocol))
    return train_tokenizer(written, TokenizerConfig(vocab_size=vocab_size), protocol.control_tokens)


def _name(rng: np.random.Generator) -> str:
    return " ".join(
        "".join(rng.choice(_SYLLABLES, rng.integers(2, 4))) for _ in range(rng.integers(1, 4))
    )


def random_model(config: ModelConfig, seed: int = 0) -> Transformer:
    """A model with normal(0, 0.2) arrays from NumPy: nothing to compile, unlike a real start."""
    rng = np.random.default_rng(seed)
    graph, shapes = nnx.split(abstract_model(config))
    return nnx.merge(
        graph,
        jax.tree.map(
            lambda shape: jnp.asarray(0.2 * rng.standard_normal(shape.shape), shape.dtype), shapes
        ),
    )
