"""What a training run leaves behind for others to use: weights, tokenizer, model config."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
from flax import nnx
from jax.sharding import Mesh

from medr_jax import jsonl, sharding
from medr_jax.models import lora, pretrained
from medr_jax.models.config import ModelConfig
from medr_jax.models.lora import LoraConfig
from medr_jax.models.pretrained import Source, WeightsConfig
from medr_jax.models.transformer import Transformer, abstract_model
from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.training.checkpoint import Checkpoints

MODEL = "model.json"
TOKENIZER = "tokenizer"
CHECKPOINTS = "checkpoints"
HF = "hf"
"""Files that came with Hugging Face weights and that an export gives back as they were."""

HF_FILES = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"),
    *("vocab.json", "merges.txt", "added_tokens.json", "special_tokens_map.json"),
    *("chat_template.jinja", "chat_template.json"),
)


class Policy(NamedTuple):
    """A trained model and what is needed to speak with it."""

    graph: Any
    params: Any
    tokenizer: Tokenizer
    model_config: ModelConfig
    protocol: str
    mesh: Mesh
    meta: dict[str, Any]  # of the checkpoint: step, identity of the run, fingerprints

    @property
    def model(self) -> Transformer:
        """The model over these parameters, without a copy."""
        return nnx.merge(self.graph, self.params)


class Adapted(msgspec.Struct, kw_only=True):
    """What the adapters in a run's checkpoints belong to."""

    lora: LoraConfig
    base: WeightsConfig
    base_hash: str


class Description(msgspec.Struct, kw_only=True, omit_defaults=True):
    """``model.json``."""

    protocol: str
    tokenizer_hash: str
    model: ModelConfig
    adapted: Adapted | None = None  # None: the checkpoints hold all parameters


def save_description(
    out: Path,
    model_config: ModelConfig,
    tokenizer: Tokenizer,
    protocol: str,
    adapted: Adapted | None = None,
) -> None:
    """Writes ``out/model.json`` and ``out/tokenizer``."""
    tokenizer.save(out / TOKENIZER)
    described = Description(
        protocol=protocol,
        tokenizer_hash=tokenizer.content_hash,
        model=model_config,
        adapted=adapted,
    )
    jsonl.write(out / MODEL, [described])


def carry_hf_files(source: Path, out: Path) -> None:
    """Copies what there is of ``HF_FILES`` to ``out/hf``."""
    found = [source / name for name in HF_FILES if (source / name).is_file()]
    if found:
        (out / HF).mkdir(exist_ok=True)
    for file in found:
        shutil.copyfile(file, out / HF / file.name)


def read_description(out: Path) -> Description:
    """What ``save_description`` wrote. ValueError where there is none."""
    if not (Path(out) / MODEL).is_file():
        raise ValueError(
            f"{out}: no training folder, it has no {MODEL}; name the one that a run made, such as "
            "artifacts/sft/0123456789abcdef"
        )
    (described,) = jsonl.read(Path(out) / MODEL, Description)
    return described


def has_checkpoint(out: Path) -> bool:
    """Whether a training run in ``out`` has something to go on from."""
    path = Path(out) / CHECKPOINTS
    if not path.is_dir():
        return False
    checkpoints = Checkpoints(path, read_only=True)
    try:
        return bool(checkpoints.steps())
    finally:
        checkpoints.close()


def params_fingerprint(out: Path) -> str:
    """Identity of the newest checkpoint's parameters, which are not read for it."""
    checkpoints = Checkpoints(Path(out) / CHECKPOINTS, read_only=True)
    try:
        return checkpoints.read_meta()["fingerprints"]["params"]
    finally:
        checkpoints.close()


def given_hash(weights: WeightsConfig) -> str:
    """Identity of weights that a run starts from."""
    if weights.source is Source.checkpoint:
        return params_fingerprint(Path(weights.path))
    return pretrained.weights_hash(weights)


def given_model(weights: WeightsConfig, config: ModelConfig, mesh: Mesh) -> Transformer:
    """The model with these weights, in the dtypes of ``config``."""
    if weights.source is not Source.checkpoint:
        return pretrained.load_pretrained(weights, config, mesh)
    loaded = load_policy(Path(weights.path), mesh)
    params = jax.tree.map(lambda array: array.astype(jnp.dtype(config.param_dtype)), loaded.params)
    graph, _ = nnx.split(abstract_model(config))
    return nnx.merge(graph, params)


def load_policy(out: Path, mesh: Mesh | None = None, *, merge: bool = True) -> Policy:
    """The newest checkpoint's weights, on ``mesh`` (default: one device).

    Of a LoRA run the base model with the adapters merged into it, or with ``merge=False`` beside
    its weights.

    Raises:
        ValueError: the folder is no training run, has no checkpoint, or a file was changed.
    """
    out = Path(out)
    described = read_description(out)
    tokenizer = Tokenizer.load(out / TOKENIZER)
    if tokenizer.content_hash != described.tokenizer_hash:
        raise ValueError(f"{out / TOKENIZER}: not the tokenizer that this model was trained with")
    mesh = mesh or make_mesh(MeshConfig())
    if described.adapted:
        model, meta = _adapted_model(out, described.model, described.adapted, mesh)
        graph, params = nnx.split(lora.merge(model) if merge else model)
    else:
        graph, shapes = nnx.split(abstract_model(described.model))
        template = sharding.abstract_arrays(shapes, sharding.shardings(shapes, mesh))
        params, meta = _restored(out, template)
    return Policy(graph, params, tokenizer, described.model, described.protocol, mesh, meta)


def _adapted_model(
    out: Path, config: ModelConfig, adapted: Adapted, mesh: Mesh
) -> tuple[Transformer, dict[str, Any]]:
    found = given_hash(adapted.base)
    if found != adapted.base_hash:
        raise ValueError(
            f"{out / MODEL}: its adapters belong to weights {adapted.base_hash[:16]} at "
            f"{adapted.base.path or adapted.base.source.value}, where {found[:16]} are now; put "
            "the weights back, or change base.path in that file to where they are"
        )
    model = lora.attach(given_model(adapted.base, config, mesh), adapted.lora, mesh, seed=0)
    graph, adapters, frozen = lora.split(model)
    adapters, meta = _restored(out, adapters)
    return nnx.merge(graph, adapters, frozen), meta


def _restored(out: Path, template: Any) -> tuple[Any, dict[str, Any]]:
    checkpoints = Checkpoints(out / CHECKPOINTS, read_only=True)
    try:
        return checkpoints.restore_params(template)
    finally:
        checkpoints.close()


def with_vocabulary(model_config: ModelConfig, tokenizer: Tokenizer) -> ModelConfig:
    """The config with the tokenizer's vocabulary size where it names none.

    Raises:
        ValueError: it names one that is too small.
    """
    if not model_config.vocab_size:
        return dataclasses.replace(model_config, vocab_size=tokenizer.vocab_size)
    if model_config.vocab_size < tokenizer.vocab_size:
        raise ValueError(
            f"model.vocab_size={model_config.vocab_size}: the tokenizer has "
            f"{tokenizer.vocab_size} tokens; use 0 for its size"
        )
    return model_config
