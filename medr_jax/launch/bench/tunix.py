"""google-tunix in the benchmark: its Qwen2, its PeftTrainer's step, its default loss."""

import importlib.metadata
import json
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from tunix.models.qwen2 import model as qwen2
from tunix.models.qwen2 import params
from tunix.sft import peft_trainer

from medr_jax.launch.bench.job import ADAMW, Bench, Job, train_tokens


def train(job: Job) -> Bench:
    """The trainer's jitted step, full parameters, donated as the trainer donates."""
    token_ids = jnp.asarray(train_tokens(job))
    model = _load(job)
    trainer = peft_trainer.PeftTrainer(
        model, _optimizer(), peft_trainer.TrainingConfig(eval_every_n_steps=10**9)
    ).with_gen_model_input_fn(_model_input)
    step, _ = trainer.jit_train_and_eval_step(cache_nnx_graph=True)
    batch = peft_trainer.TrainingInput(
        input_tokens=token_ids, input_mask=jnp.ones(token_ids.shape, bool)
    )

    def run(count: int) -> float:
        first = None
        for _ in range(count):
            loss, *_ = step(batch)
            first = loss if first is None else first
        jax.block_until_ready((loss, nnx.state(model)))
        return float(first)

    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    facts = {
        "versions": {"jax": jax.__version__} | _versions("google-tunix", "qwix", "flax"),
        "device": jax.devices()[0].device_kind,
        "parameters": count,
    }
    return Bench(run=run, tokens=token_ids.size, facts=facts)


def decode(job: Job) -> Bench:
    """Refused: tunix's sampler takes and gives text, by a tokenizer of its own."""
    raise ValueError("tunix decodes from text by its own tokenizer; leave it out of decode")


def _load(job: Job) -> qwen2.Qwen2:
    hf = json.loads((job.weights / "config.json").read_text())
    if hf["model_type"] != "qwen2":
        raise ValueError(f"tunix is compared on qwen2 models; {hf['model_type']} is not one")
    config = qwen2.ModelConfig(
        num_layers=hf["num_hidden_layers"],
        vocab_size=hf["vocab_size"],
        embed_dim=hf["hidden_size"],
        hidden_dim=hf["intermediate_size"],
        num_heads=hf["num_attention_heads"],
        head_dim=hf["head_dim"],
        num_kv_heads=hf["num_key_value_heads"],
        rope_theta=hf["rope_theta"],
        norm_eps=hf["rms_norm_eps"],
        use_tied_embedding=hf["tie_word_embeddings"],
        dtype=jnp.dtype(job.model.dtype),
    )
    return params.create_model_from_safe_tensors(str(job.weights), config)


def _model_input(batch: peft_trainer.TrainingInput) -> dict[str, jax.Array]:
    B, T = batch.input_tokens.shape
    return {
        "input_tokens": batch.input_tokens,
        "input_mask": batch.input_mask,
        "positions": jnp.broadcast_to(jnp.arange(T), (B, T)),
        "attention_mask": jnp.broadcast_to(jnp.tril(jnp.ones((T, T), bool)), (B, T, T)),
    }


def _optimizer() -> optax.GradientTransformation:
    adamw = optax.adamw(
        ADAMW.learning_rate, ADAMW.b1, ADAMW.b2, ADAMW.eps, weight_decay=ADAMW.weight_decay
    )
    return optax.chain(optax.clip_by_global_norm(ADAMW.clip_norm), adamw)


def _versions(*packages: str) -> dict[str, Any]:
    return {name: importlib.metadata.version(name) for name in packages}
