"""Byte-level BPE in which untrusted text can never become a control token.

The backend knows no added or special tokens at all. Control ids live beside it and enter a
sequence only when the ledger splices them in by name, so the literal text "<|end|>" in a
document is encoded as the seven characters that it is.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from medr_jax import console, jsonl
from medr_jax.tokens import hf_files

SIDECAR = "medr_tokenizer.json"
NORMALIZATIONS = ("none", "spaced")
PROTOCOLS = ("chatml", "compact")
NUM_BYTES = 256
CACHED_WORDS = 1 << 17
CACHED_WORD_CHARS = 64
BATCH = 512

_QUOTES = re.compile('["\u201c\u201d]')
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_SPACED_DIGITS = r" ?\p{N}| ?[^\s\p{N}]+"
_SPACED_WORDS = r" ?[^\s]+"
_PLAIN_DIGITS = r"\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_PLAIN_WORDS = r" ?\p{N}+| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(kw_only=True, slots=True)
class TokenizerConfig:
    """How a tokenizer is trained, and for which protocol."""

    vocab_size: int = 2048  # control tokens included; fewer when the text has fewer merges
    normalization: str = "spaced"  # spaced: lower case, punctuation apart; none: text as it is
    single_digits: bool = True  # 2048 is four tokens: numbers are copied digit by digit
    protocol: str = "compact"  # whose control tokens are added: compact or chatml

    def __post_init__(self) -> None:
        if self.normalization not in NORMALIZATIONS:
            raise ValueError(
                f"tokenizer.normalization={self.normalization!r}: use one of {NORMALIZATIONS}"
            )
        if self.vocab_size < NUM_BYTES + 16:
            raise ValueError(
                f"tokenizer.vocab_size={self.vocab_size}: needs {NUM_BYTES} bytes and the control "
                f"tokens; use {NUM_BYTES + 16} or more"
            )
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"tokenizer.protocol={self.protocol!r}: use one of {PROTOCOLS}")
        if self.protocol == "chatml" and self.normalization != "none":
            raise ValueError(
                "tokenizer.protocol='chatml' writes JSON, which lower case and spaced punctuation "
                "destroy; use tokenizer.normalization=none"
            )


class Tokenizer:
    """Text to ids and back. ``backend`` is a ``tokenizer.json`` without added tokens."""

    def __init__(self, backend: Mapping, control_ids: Mapping[str, int], normalization: str):
        self._state = dict(backend)
        self._backend = hf_files.make_backend(self._state)
        self._controls = dict(sorted(control_ids.items(), key=lambda item: item[1]))
        self._names = {token_id: name for name, token_id in self._controls.items()}
        self._bytes = hf_files.token_bytes(self._state["model"]["vocab"])
        self._words: dict[str, list[int]] = {}
        self.normalization = normalization
        clash = sorted(self._names.keys() & self._bytes.keys())
        if clash or len(self._names) != len(self._controls):
            raise ValueError(f"control tokens share ids with others: {clash or self._controls}")

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return max(*self._bytes, *self._names, 0) + 1

    @property
    def control_tokens(self) -> tuple[str, ...]:
        """Names of all control tokens, by id."""
        return tuple(self._controls)

    @property
    def content_hash(self) -> str:
        """sha256 over vocabulary, merges, splitting rules and control ids."""
        identity = {
            "backend": hf_files.identity(self._state),
            "control": self._controls,
            "normalization": self.normalization,
        }
        return hashlib.sha256(jsonl.encode(identity)).hexdigest()

    def has_control(self, name: str) -> bool:
        """Whether there is a control token of that name."""
        return name in self._controls

    def control(self, name: str) -> int:
        """Id of a control token. Raises ValueError when the tokenizer has none of that name."""
        if name not in self._controls:
            raise ValueError(
                f"the tokenizer has no control token {name!r} (it has "
                f"{', '.join(self._controls) or 'none'}); was it made for another protocol?"
            )
        return self._controls[name]

    def control_name(self, token_id: int) -> str | None:
        """Name of a control id; None for an ordinary token."""
        return self._names.get(token_id)

    def normalize(self, text: str) -> str:
        """The text as the model sees it.

        ``spaced``: NFC, lower case, no double quotes, three dots as one, a space around every
        character that is neither letter nor digit, single spaces. A name then gives the same ids
        wherever it stands. ``none``: only what the backend's own normaliser does (NFC for Qwen).
        """
        text = _valid_unicode(text)
        if self.normalization == "spaced":
            lowered = unicodedata.normalize("NFC", text.lower()).replace("...", "\u2026")
            return " ".join(_PUNCTUATION.sub(r" \g<0> ", _QUOTES.sub(" ", lowered)).split())
        normalizer = self._backend.normalizer
        return normalizer.normalize_str(text) if normalizer else text

    def encode(self, text: str) -> list[int]:
        """Ids of untrusted text; never a control id.

        ``spaced``: every word starts with a space, the first one included, and is encoded on
        its own, so ids of a text are the ids of its words in a row.
        """
        if self.normalization != "spaced":
            return self._backend.encode(_valid_unicode(text), add_special_tokens=False).ids
        ids: list[int] = []
        words = self._words
        for word in self.normalize(text).split(" "):
            known = words.get(word)
            if known is None:
                known = self._backend.encode(f" {word}").ids if word else []
                if len(words) < CACHED_WORDS and len(word) <= CACHED_WORD_CHARS:
                    words[word] = known
            ids += known
        return ids

    def decode(self, token_ids: Iterable[int]) -> str:
        """Text of ids; equals ``normalize(text)`` after ``encode`` up to outer whitespace.

        A control id gives its name, an id out of range U+FFFD; nothing raises.
        """
        pieces = bytearray()
        for token_id in token_ids:
            token_id = int(token_id)
            known = self._bytes.get(token_id)
            pieces += self._names.get(token_id, "\ufffd").encode() if known is None else known
        text = pieces.decode("utf-8", errors="replace")
        return text.removeprefix(" ") if self.normalization == "spaced" else text

    def save(self, path: str | Path) -> None:
        """Writes ``tokenizer.json`` (with added tokens, as HF reads it) and a sidecar."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        hf_files.write_tokenizer_json(path, self._state, self._controls)
        sidecar = {
            "content_hash": self.content_hash,
            "normalization": self.normalization,
        }
        jsonl.write(path / SIDECAR, [sidecar])

    def write_hf_json(self, folder: Path, special: Collection[int]) -> None:
        """``tokenizer.json`` alone, for others to read; ids in ``special`` are marked so."""
        hf_files.write_tokenizer_json(folder, self._state, self._controls, special)

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """A saved tokenizer, or the tokenizer files of a Hugging Face checkpoint.

        Accepts a folder with ``tokenizer.json``, or ``vocab.json`` + ``merges.txt`` of a Qwen2
        or GPT-2 tokenizer. Added tokens become control tokens.

        Raises:
            ValueError: files are missing, damaged or of a kind that is not byte-level BPE.
        """
        path = Path(path)
        backend, control_ids = hf_files.read(path)
        sidecar = {}
        if (path / SIDECAR).is_file():
            (sidecar,) = jsonl.read(path / SIDECAR, dict)
        tokenizer = cls(backend, control_ids, sidecar.get("normalization", "none"))
        if sidecar and sidecar.get("content_hash") != tokenizer.content_hash:
            raise ValueError(f"{path}: the tokenizer's files were changed; make it again")
        return tokenizer


def train_tokenizer(
    texts: Iterable[str], config: TokenizerConfig, control_tokens: Sequence[str]
) -> Tokenizer:
    """Byte-level BPE over ``texts``; control tokens take the last ids. Deterministic."""
    if len(set(control_tokens)) != len(control_tokens):
        raise ValueError(f"control tokens repeat: {tuple(control_tokens)}")
    empty = tokenizers.Tokenizer(models.BPE())
    normalizing = Tokenizer(json.loads(empty.to_str()), {}, config.normalization)
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = _splitting(config)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size - len(control_tokens),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[],
        show_progress=False,
    )
    backend.train_from_iterator(_batches(normalizing, texts), trainer)
    first = backend.get_vocab_size()
    control_ids = {name: first + i for i, name in enumerate(control_tokens)}
    return Tokenizer(json.loads(backend.to_str()), control_ids, config.normalization)


def _splitting(config: TokenizerConfig) -> pre_tokenizers.PreTokenizer:
    if config.normalization == "spaced":
        pattern = _SPACED_DIGITS if config.single_digits else _SPACED_WORDS
    else:
        pattern = _PLAIN_DIGITS if config.single_digits else _PLAIN_WORDS
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _batches(normalizing: Tokenizer, texts: Iterable[str]) -> Iterator[list[str]]:
    lead = " " if normalizing.normalization == "spaced" else ""
    batch: list[str] = []
    for text in console.track(texts, "tokenizer: reading text"):
        batch.append(lead + normalizing.normalize(text))
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch


def _valid_unicode(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, e.g. from broken JSON escapes
        return text.encode("utf-8", "replace").decode()
    return text
