"""Where a model's first weights come from, and its tokenizer with them.

Loaders are imported where they are used: commands that only need the tokenizer start without
JAX.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medr_jax.gguf_file import GGUFFile, find_smollm2
from medr_jax.models.config import RUNTIME_FIELDS, ModelConfig
from medr_jax.models.hf_config import from_hf_config
from medr_jax.tokens import gguf_tokenizer
from medr_jax.tokens.tokenizer import Tokenizer

if TYPE_CHECKING:
    from jax.sharding import Mesh

    from medr_jax.models.transformer import Transformer


class Source(Enum):
    """``scratch``: random weights; ``hf``: a Hugging Face folder; ``gguf``: a file of llama.cpp's
    format; ``checkpoint``: a training folder of ours, or what ``import_weights`` wrote."""

    scratch = "scratch"
    hf = "hf"
    gguf = "gguf"
    checkpoint = "checkpoint"


@dataclass(kw_only=True, slots=True)
class WeightsConfig:
    """What training starts from. With weights comes their tokenizer: none is trained then."""

    source: Source = Source.scratch
    path: str = ""  # of the folder or file; empty for scratch, and with gguf for SmolLM2's package

    def __post_init__(self) -> None:
        if self.source is Source.scratch and self.path:
            raise ValueError(
                f"weights.path={self.path} with weights=scratch; choose how to read it with "
                "weights=hf or weights=checkpoint"
            )
        if self.source in (Source.hf, Source.checkpoint) and not self.path:
            raise ValueError(
                f"weights.path is empty with weights={self.source.value}; name what to load"
            )

    @property
    def given(self) -> bool:
        """Whether there are weights to start from."""
        return self.source is not Source.scratch


def load_pretrained(
    weights: WeightsConfig, model_config: ModelConfig, mesh: "Mesh"
) -> "Transformer":
    """The model with the weights of a file or folder, in the user's dtypes, on the mesh.

    Raises:
        ValueError: no weights there, not those of ``model_config``, or damaged.
    """
    config = pretrained_config(weights, model_config)
    if weights.source is Source.hf:
        from medr_jax.models import hf_weights

        return hf_weights.load(Path(weights.path), config, mesh)
    if weights.source is Source.gguf:
        from medr_jax.models import gguf_weights

        return gguf_weights.load(_gguf_path(weights), config, mesh)
    raise ValueError(
        f"weights={weights.source.value} is no file of pretrained weights; use hf or gguf"
    )


def pretrained_config(weights: WeightsConfig, model_config: ModelConfig) -> ModelConfig:
    """``model_config`` with the vocabulary that the weights have.

    Raises:
        ValueError: the weights are of another architecture; lists the fields that differ.
    """
    if not weights.given:
        return model_config
    return agreed_config(described_config(weights), model_config, weights)


def described_config(weights: WeightsConfig) -> ModelConfig:
    """The architecture that a file or folder says it has."""
    if weights.source is Source.hf:
        return from_hf_config(read_hf_config(Path(weights.path)))
    if weights.source is Source.gguf:
        from medr_jax.models import gguf_weights

        return gguf_weights.from_gguf_metadata(GGUFFile(_gguf_path(weights)))
    raise ValueError(
        f"weights={weights.source.value} is no file of pretrained weights; use hf or gguf"
    )


def agreed_config(
    theirs: ModelConfig, model_config: ModelConfig, weights: WeightsConfig
) -> ModelConfig:
    """``theirs`` with the fields of ``model_config`` that are the user's choice.

    Raises:
        ValueError: other fields differ; a ``vocab_size`` of 0 agrees with any.
    """
    merged = dataclasses.replace(
        theirs, **{name: getattr(model_config, name) for name in RUNTIME_FIELDS}
    )
    differing = [
        f"{field.name}={_shown(getattr(model_config, field.name))} "
        f"(theirs: {_shown(getattr(merged, field.name))})"
        for field in dataclasses.fields(ModelConfig)
        if getattr(model_config, field.name) != getattr(merged, field.name)
        and not (field.name == "vocab_size" and model_config.vocab_size == 0)
    ]
    if differing:
        raise ValueError(
            f"{weights.path or 'SmolLM2'}: holds another model than model= says: "
            f"{', '.join(differing)}; choose the model= of these weights, or set these fields"
        )
    return merged


def load_tokenizer(weights: WeightsConfig) -> Tokenizer:
    """The tokenizer that the weights were trained with."""
    if weights.source is Source.gguf:
        return gguf_tokenizer.tokenizer_from_gguf(GGUFFile(_gguf_path(weights)))
    folder = Path(weights.path)
    if weights.source is Source.checkpoint:
        folder = folder / "tokenizer"
    return Tokenizer.load(folder)


def save_tokenizer(weights: WeightsConfig, path: Path) -> Tokenizer:
    """Writes ``load_tokenizer``'s; of a GGUF file also its special tokens and chat template."""
    if weights.source is Source.gguf:
        return gguf_tokenizer.save_tokenizer(GGUFFile(_gguf_path(weights)), path)
    tokenizer = load_tokenizer(weights)
    tokenizer.save(path)
    return tokenizer


def weights_hash(weights: WeightsConfig) -> str:
    """sha256 over the config and every byte of the weights: their identity wherever they lie."""
    digest = hashlib.sha256()
    for file in _weight_files(weights):
        digest.update(file.name.encode())
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "sha256").digest())
    return digest.hexdigest()


def read_hf_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json`` of a checkpoint folder."""
    path = folder / "config.json"
    if not path.is_file():
        raise ValueError(f"{folder}: no config.json; this is not a Hugging Face checkpoint folder")
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as problem:
        raise ValueError(f"{path}: cannot be read as JSON: {problem}") from None
    if not isinstance(parsed, dict):
        raise ValueError(f"{path}: expected a JSON object")
    return parsed


def _gguf_path(weights: WeightsConfig) -> Path:
    return Path(weights.path) if weights.path else find_smollm2()


def _weight_files(weights: WeightsConfig) -> Iterator[Path]:
    if weights.source is Source.gguf:
        yield _gguf_path(weights)
        return
    folder = Path(weights.path)
    yield folder / "config.json"
    yield from sorted(folder.glob("*.safetensors"))


def _shown(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
