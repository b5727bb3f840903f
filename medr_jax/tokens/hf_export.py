"""What a served model needs beside its weights: tokenizer, chat template, where to stop."""

import json
from pathlib import Path

from medr_jax.tokens.chatml_template import chat_template
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.tokenizer import Tokenizer


def token_ids(tokenizer: Tokenizer, protocol_name: str) -> dict[str, int]:
    """The ids that ``config.json`` names."""
    protocol = get_protocol(protocol_name)
    end, *_ = protocol.stop_ids(tokenizer)
    return {"eos_token_id": end, "pad_token_id": protocol.pad_id(tokenizer)}


def write_serving_files(
    folder: Path, tokenizer: Tokenizer, protocol_name: str, *, max_length: int
) -> None:
    """``tokenizer.json``, ``tokenizer_config.json`` and ``generation_config.json``.

    Raises:
        ValueError: the tokenizer changes text in a way that ``tokenizer.json`` cannot say.
    """
    refuse_inexpressible(tokenizer)
    protocol = get_protocol(protocol_name)
    ids = token_ids(tokenizer, protocol_name)
    stops = protocol.stop_ids(tokenizer)
    # Only these disappear from decoded text: a server's tool parser has to see the others.
    tokenizer.write_hf_json(folder, special=(ids["pad_token_id"], *stops))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": tokenizer.control_name(ids["eos_token_id"]),
        "pad_token": tokenizer.control_name(ids["pad_token_id"]),
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
    }
    if protocol_name == "chatml":
        settings["chat_template"] = chat_template()
    _write(folder / "tokenizer_config.json", settings)
    generation = {"eos_token_id": list(stops), "pad_token_id": ids["pad_token_id"]}
    _write(folder / "generation_config.json", generation)


def refuse_inexpressible(tokenizer: Tokenizer) -> None:
    """ValueError for a tokenizer whose normalisation no ``tokenizer.json`` holds."""
    if tokenizer.normalization != "none":
        raise ValueError(
            f"tokenizer.normalization={tokenizer.normalization} cannot be expressed in "
            "tokenizer.json; train with tokenizer=chatml to export"
        )


def _write(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
