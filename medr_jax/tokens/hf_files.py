"""Tokenizer files in Hugging Face's layouts: read, checked, written."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from medr_jax import jsonl

TOKENIZER_JSON = "tokenizer.json"

# The splitting rule of Qwen2's released tokenizer; ids differ from its own with any other.
QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_NEVER_IN_UTF8 = {0xC0, 0xC1, *range(0xF5, 0x100)}
_UNUSUAL = {byte: rf"\x{{{byte:02X}}}" for byte in range(0x20) if chr(byte) not in "\t\n\r"}
_UNUSUAL |= {0xF1: r"\x{40000}-\x{7FFFF}", 0xF2: r"\x{80000}-\x{BFFFF}"}
"""First byte of characters that text can do without -> the characters, for a regex class."""


def read(path: Path) -> tuple[dict, dict[str, int]]:
    """Backend state without added tokens, and the added tokens as control ids.

    Raises:
        ValueError: no tokenizer here, a damaged file, or a model that is not byte-level BPE.
    """
    if (path / TOKENIZER_JSON).is_file():
        state = _json(path / TOKENIZER_JSON)
        controls = {token["content"]: token["id"] for token in state.get("added_tokens", ())}
    elif (path / "vocab.json").is_file() and (path / "merges.txt").is_file():
        state = _from_vocab_and_merges(path)
        controls = _added_tokens(path)
    else:
        raise ValueError(f"{path}: neither {TOKENIZER_JSON} nor vocab.json with merges.txt here")
    return _without_controls(path, state, controls), controls


def make_backend(state: Mapping) -> tokenizers.Tokenizer:
    """The backend of a state. Raises ValueError when the library cannot make sense of it."""
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(state))
    except Exception as problem:  # the library raises nothing more specific
        raise ValueError(f"not a tokenizer that the tokenizers library reads: {problem}") from None


def write_tokenizer_json(
    path: Path, state: Mapping, controls: Mapping[str, int], special: Collection[int] | None = None
) -> None:
    """``tokenizer.json`` with the control tokens as added tokens.

    Those with an id in ``special`` (default: all) are left out of decoded text on request.
    """
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {
            "id": token_id,
            "content": name,
            **flags,
            "special": special is None or token_id in special,
        }
        for name, token_id in controls.items()
    ]
    jsonl.write(path / TOKENIZER_JSON, [{**state, "added_tokens": added}])


def identity(state: Mapping) -> dict:
    """What determines the ids, in a form that does not depend on the library's version."""
    model = state["model"]
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    return {
        "vocab": model["vocab"],
        "merges": merges,
        "normalizer": state.get("normalizer"),
        "pre_tokenizer": state.get("pre_tokenizer"),
    }


def byte_alphabet() -> dict[str, int]:
    """Character that stands for each byte in a byte-level vocabulary.

    Printable bytes of Latin-1 stand for themselves; the others, in order, for U+0100 and on
    (the convention of GPT-2's vocabulary files).
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    alphabet = {chr(byte): byte for byte in printable}
    alphabet.update({chr(0x100 + i): byte for i, byte in enumerate(others)})
    return alphabet


def token_bytes(vocab: Mapping[str, int]) -> dict[int, bytes]:
    """Bytes of every token id. Raises ValueError for a token outside the byte alphabet."""
    alphabet = byte_alphabet()
    try:
        return {
            token_id: bytes(alphabet[character] for character in token)
            for token, token_id in vocab.items()
        }
    except KeyError as problem:
        raise ValueError(f"the vocabulary is not byte-level: it has {problem}") from None


def without_gaps(name: str, state: Mapping) -> dict:
    """The state with a normaliser for characters that its vocabulary has no bytes for.

    Some released vocabularies (SmolLM2's) lack bytes that their training text never had: a few
    ASCII control characters and the planes that Unicode has not assigned. The library would drop
    them in silence; here they become U+FFFD.

    Raises:
        ValueError: bytes of ordinary text are missing; ``name`` says where.
    """
    alphabet, vocab = byte_alphabet(), state["model"]["vocab"]
    missing = {byte for character, byte in alphabet.items() if character not in vocab}
    gaps = "".join(_UNUSUAL[byte] for byte in sorted(missing & _UNUSUAL.keys()))
    if missing - _UNUSUAL.keys() - _NEVER_IN_UTF8:
        raise ValueError(
            f"{name}: not byte-level BPE ({len(missing)} bytes have no token), so some text "
            "could not be encoded"
        )
    if not gaps:
        return dict(state)
    replace = {"type": "Replace", "pattern": {"Regex": f"[{gaps}]"}, "content": "\ufffd"}
    known = state.get("normalizer")
    if known is None or known == replace:
        return {**state, "normalizer": replace}
    steps = known["normalizers"] if known["type"] == "Sequence" else [known]
    steps = [step for step in steps if step != replace]
    return {**state, "normalizer": {"type": "Sequence", "normalizers": [*steps, replace]}}


def _json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"{path}: cannot be read as JSON: {problem}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected a JSON object")
    return value


def _from_vocab_and_merges(path: Path) -> dict:
    kind = "GPT2Tokenizer"
    if (path / "tokenizer_config.json").is_file():
        kind = _json(path / "tokenizer_config.json").get("tokenizer_class", kind)
    kind = kind.removesuffix("Fast")
    backend = tokenizers.Tokenizer(
        models.BPE.from_file(str(path / "vocab.json"), str(path / "merges.txt"))
    )
    byte_level = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=kind != "Qwen2Tokenizer"
    )
    if kind == "Qwen2Tokenizer":
        backend.normalizer = normalizers.NFC()
        split = pre_tokenizers.Split(tokenizers.Regex(QWEN2_SPLIT), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    elif kind == "GPT2Tokenizer":
        backend.pre_tokenizer = byte_level
    else:
        raise ValueError(
            f"{path}: tokenizer_class {kind!r} with vocab.json is not known (Qwen2Tokenizer, "
            f"GPT2Tokenizer are); save it as {TOKENIZER_JSON} with transformers first"
        )
    backend.decoder = decoders.ByteLevel()
    return json.loads(backend.to_str())


def _added_tokens(path: Path) -> dict[str, int]:
    if (path / "added_tokens.json").is_file():
        return _json(path / "added_tokens.json")
    if (path / "tokenizer_config.json").is_file():
        added = _json(path / "tokenizer_config.json").get("added_tokens_decoder", {})
        return {token["content"]: int(token_id) for token_id, token in added.items()}
    return {}


def _without_controls(path: Path, state: dict, controls: Mapping[str, int]) -> dict:
    """Drops what could turn text into a control id or add ids that nobody asked for."""
    model = state.get("model") or {}
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise ValueError(f"{path}: tokenizer model {model.get('type')!r}; only BPE is supported")
    vocab = {token: i for token, i in model["vocab"].items() if token not in controls}
    stripped = {
        **state,
        "added_tokens": [],
        "post_processor": None,
        "truncation": None,
        "padding": None,
        "model": {**model, "type": "BPE", "vocab": vocab},
    }
    return without_gaps(str(path), stripped)
