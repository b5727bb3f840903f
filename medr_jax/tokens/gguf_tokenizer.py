"""The tokenizer inside a GGUF file, rebuilt from its metadata."""

import json
from collections.abc import Callable
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from medr_jax import jsonl
from medr_jax.gguf_file import GGUFFile
from medr_jax.tokens import hf_files
from medr_jax.tokens.tokenizer import Tokenizer

# The values of llama.cpp's enum llama_token_type.
NORMAL, UNUSED = 1, 5

# The splitting rule of Llama 3's released tokenizer.
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _byte_level(use_regex: bool) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


SPLITTING: dict[str, Callable[[], list[pre_tokenizers.PreTokenizer]]] = {
    "gpt-2": lambda: [_byte_level(True)],
    "smollm": lambda: [pre_tokenizers.Digits(individual_digits=True), _byte_level(True)],
    "llama-bpe": lambda: [
        pre_tokenizers.Split(tokenizers.Regex(LLAMA3_SPLIT), "isolated"),
        _byte_level(False),
    ],
}
"""``tokenizer.ggml.pre`` -> how text is cut before merges apply; ids differ with any other."""


def tokenizer_from_gguf(file: GGUFFile) -> Tokenizer:
    """Byte-level BPE with the file's control and user-defined tokens as control tokens.

    Raises:
        ValueError: the file holds another kind of tokenizer, or an inconsistent one.
    """
    kind, splitting = (
        file.need("tokenizer.ggml.model"),
        file.metadata.get("tokenizer.ggml.pre", "gpt-2"),
    )
    if kind != "gpt2" or splitting not in SPLITTING:
        raise ValueError(
            f"{file.path}: tokenizer.ggml.model={kind!r} with pre={splitting!r} is not supported; "
            f"byte-level BPE ('gpt2') with one of {', '.join(SPLITTING)} is"
        )
    tokens, types = file.need("tokenizer.ggml.tokens"), file.need("tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in file.need("tokenizer.ggml.merges")]
    if len(types) != len(tokens) or len(set(tokens)) != len(tokens):
        raise ValueError(f"{file.path}: {len(tokens)} tokens with {len(types)} types, or repeated")
    typed = list(enumerate(zip(tokens, types, strict=True)))
    vocab = {token: i for i, (token, kind) in typed if kind == NORMAL}
    controls = {token: i for i, (token, kind) in typed if kind not in (NORMAL, UNUSED)}
    try:
        # Llama 3 takes words of the vocabulary whole, whatever its merges say.
        model = models.BPE(vocab, merges, ignore_merges=splitting == "llama-bpe")
    except Exception as problem:  # the library raises nothing more specific
        raise ValueError(f"{file.path}: vocabulary and merges do not fit: {problem}") from None
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.Sequence(SPLITTING[splitting]())
    backend.decoder = decoders.ByteLevel()
    state = hf_files.without_gaps(str(file.path), json.loads(backend.to_str()))
    return Tokenizer(state, controls, "none")


def save_tokenizer(file: GGUFFile, path: str | Path) -> Tokenizer:
    """Writes the file's tokenizer as ``Tokenizer.load`` and ``transformers`` read it.

    ``tokenizer_config.json`` names the special tokens and holds the chat template.
    """
    tokenizer = tokenizer_from_gguf(file)
    tokenizer.save(path)
    tokens = file.need("tokenizer.ggml.tokens")
    fields = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token"}
    ids = {
        name: file.metadata.get(f"tokenizer.ggml.{ours}_token_id") for ours, name in fields.items()
    }
    ids["pad_token"] = file.metadata.get("tokenizer.ggml.padding_token_id")
    written = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **{name: tokens[token_id] for name, token_id in ids.items() if token_id is not None},
    }
    if template := file.metadata.get("tokenizer.chat_template"):
        written["chat_template"] = template
    jsonl.write(Path(path) / "tokenizer_config.json", [written])
    return tokenizer
