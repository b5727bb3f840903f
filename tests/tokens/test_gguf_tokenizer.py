"""The tokenizer that a GGUF file's metadata describe."""

import json

import pytest

from medr_jax.gguf_file import GGUFFile
from medr_jax.testing.gguf import CONTROLS, tokenizer_metadata, write_gguf
from medr_jax.tokens.gguf_tokenizer import save_tokenizer, tokenizer_from_gguf
from medr_jax.tokens.tokenizer import Tokenizer

pytest.importorskip("gguf")


@pytest.fixture
def make(tmp_path):
    def made(**changes) -> GGUFFile:
        return GGUFFile(write_gguf(tmp_path / "x.gguf", tokenizer_metadata(**changes), {}))

    return made


def without(*characters: str) -> dict:
    """Metadata of a vocabulary that lacks these."""
    metadata = tokenizer_metadata()
    tokens = [t for t in metadata["tokenizer.ggml.tokens"] if t not in characters]
    types = metadata["tokenizer.ggml.token_type"][: len(tokens)]
    return {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}


def test_ids_are_those_of_the_file(make):
    file = make()
    tokenizer, tokens = tokenizer_from_gguf(file), file.metadata["tokenizer.ggml.tokens"]
    assert tokenizer.control_tokens == CONTROLS
    assert tokenizer.control("<|im_end|>") == tokens.index("<|im_end|>") == 2
    assert tokenizer.vocab_size == len(tokens)
    # Merged, but not across what the splitting rule cuts: each digit is apart, and so is the
    # space before it. The literal control token is the characters that it is.
    shown = [tokens[i] for i in tokenizer.encode("a mg 12 mg<|im_end|>")]
    assert shown == ["a", "Ġ", "mg", "Ġ", "1", "2", "Ġ", "mg", *"<|im_end|>"]
    assert tokenizer.decode(tokenizer.encode("a mg\n É")) == "a mg\n É"


def test_each_splitting_rule(make):
    def pieces(pre: str) -> list[str]:
        metadata = tokenizer_metadata()
        tokens = [*metadata["tokenizer.ggml.tokens"], "12", "123", "1234"]
        types = [*metadata["tokenizer.ggml.token_type"], 1, 1, 1]
        merges = [*metadata["tokenizer.ggml.merges"], "1 2", "12 3", "123 4"]
        file = make(
            **{
                "tokenizer.ggml.pre": pre,
                "tokenizer.ggml.tokens": tokens,
                "tokenizer.ggml.token_type": types,
                "tokenizer.ggml.merges": merges,
            }
        )
        return [tokens[i] for i in tokenizer_from_gguf(file).encode("1234")]

    assert pieces("smollm") == ["1", "2", "3", "4"]
    assert pieces("llama-bpe") == ["123", "4"]
    assert pieces("gpt-2") == ["1234"]


def test_written_files_are_read_back_and_name_the_special_tokens(make, tmp_path):
    file = make(**without("Ą"))  # so that there is a normaliser to keep
    made = save_tokenizer(file, tmp_path / "saved")
    loaded = Tokenizer.load(tmp_path / "saved")
    assert loaded.content_hash == made.content_hash
    assert loaded.encode("a mg \x04") == made.encode("a mg \x04")
    written = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert written["bos_token"] == "<|im_start|>" and written["eos_token"] == "<|im_end|>"
    assert written["chat_template"] == "{{ messages }}"


def test_characters_without_bytes_become_replacement_characters(make):
    # SmolLM2's vocabulary lacks such bytes; by itself the library would drop them: "ab".
    tokenizer = tokenizer_from_gguf(make(**without("Ą", "ñ", "ÿ")))
    for text in ("a\x04b", "a\U00050000b"):
        assert tokenizer.normalize(text) == "a\ufffdb"
        assert tokenizer.decode(tokenizer.encode(text)) == "a\ufffdb"
    assert tokenizer.normalize("a\x05\U000c0000") == "a\x05\U000c0000"  # those have their bytes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokenizer.ggml.model": "llama"}, "tokenizer.ggml.model='llama'"),
        ({"tokenizer.ggml.pre": "viking"}, "pre='viking'"),
        ({"tokenizer.ggml.merges": ["m nope"]}, "do not fit"),
        ({"tokenizer.ggml.token_type": [1]}, "with 1 types"),
        (without("b"), "not byte-level BPE"),
    ],
)
def test_what_is_refused(make, changes, reason):
    with pytest.raises(ValueError, match=rf"x\.gguf: .*{reason}"):
        tokenizer_from_gguf(make(**changes))
