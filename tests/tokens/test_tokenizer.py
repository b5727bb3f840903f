"""The tokenizer: exact, deterministic, and closed against forged control tokens."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.testing.tokens import byte_tokenizer
from medr_jax.tokens import hf_files
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer

TEXTS = [
    "Marfan syndrome is associated with FBN1.",
    "Usher syndrome, type 1; deafness (14/15).",
    "Which gene is associated with Marfan syndrome?",
] * 30
CONTROLS = get_protocol("compact").control_tokens
SPACED = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=400), CONTROLS)
PLAIN = train_tokenizer(TEXTS, TokenizerConfig(vocab_size=400, normalization="none"), CONTROLS)
BOTH = pytest.mark.parametrize("tokenizer", [SPACED, PLAIN], ids=["spaced", "none"])

hostile = st.one_of(
    st.text(st.characters()),  # lone surrogates and NUL included
    st.lists(st.sampled_from([*CONTROLS, " ", "x", "<|", "|>", "\x00", "é", "Σ", "İ"])).map(
        "".join
    ),
)


@BOTH
@given(text=hostile)
@settings(max_examples=60, deadline=None)
def test_text_cannot_become_a_control_token_and_comes_back(tokenizer, text):
    token_ids = tokenizer.encode(text)
    assert all(tokenizer.control_name(token_id) is None for token_id in token_ids)
    assert tokenizer.decode(token_ids) == tokenizer.normalize(text)


@given(text=hostile)
@settings(max_examples=60, deadline=None)
def test_normalising_twice_changes_nothing(text):
    once = SPACED.normalize(text)
    assert SPACED.normalize(once) == once


@pytest.mark.parametrize("before", ["", "the gene of ", "(", "type 1 ", "x-"])
@pytest.mark.parametrize("after", ["", "?", ", and", " 2"])
def test_a_name_has_the_same_ids_wherever_it_stands(before, after):
    # Without the leading space of a segment's first word "marfan" would differ at the start.
    name = SPACED.encode("Marfan Syndrome")
    whole = SPACED.encode(f"{before}marfan syndrome{after}")
    start = len(SPACED.encode(before))
    assert whole[start : start + len(name)] == name


def test_spaced_normalisation():
    assert SPACED.normalize(" IL-6\n(+) X_linked é") == "il - 6 ( + ) x _ linked é"
    assert SPACED.normalize("14/15") == "14 / 15"
    assert SPACED.normalize('a "B c", \u201cd\u201d; ... e') == "a b c , d ; \u2026 e"


@BOTH
def test_digits_stand_alone(tokenizer):
    trained = train_tokenizer(
        ["in 2048 and 2048"] * 50,
        TokenizerConfig(vocab_size=300, normalization=tokenizer.normalization),
        (),
    )
    pieces = [trained.decode([token_id]).strip() for token_id in trained.encode("x 2048")]
    assert [piece for piece in pieces if piece.isdigit()] == ["2", "0", "4", "8"]
    joined = train_tokenizer(
        ["in 2048 and 2048"] * 50,
        TokenizerConfig(vocab_size=300, normalization=tokenizer.normalization, single_digits=False),
        (),
    )
    assert len(joined.encode(" 2048")) == 1


def test_merges_are_learned_and_controls_take_the_last_ids():
    assert len(SPACED.encode("marfan syndrome")) == 2
    assert SPACED.vocab_size <= 400
    first = SPACED.vocab_size - len(CONTROLS)
    assert [SPACED.control(name) for name in CONTROLS] == list(range(first, SPACED.vocab_size))


def test_ids_that_do_not_exist_decode_to_the_replacement_character():
    assert SPACED.decode([-1, 10**9]) == "\ufffd\ufffd"
    assert SPACED.decode([SPACED.control("<|end|>")]) == "<|end|>"


def test_training_is_deterministic_across_processes():
    code = (
        "from medr_jax.tokens.tokenizer import *\n"
        f"t = train_tokenizer({TEXTS!r}, TokenizerConfig(vocab_size=400), {CONTROLS!r})\n"
        "print(t.content_hash)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == SPACED.content_hash, found.stderr
    assert PLAIN.content_hash != SPACED.content_hash


@BOTH
def test_save_and_load(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.content_hash == tokenizer.content_hash
    assert loaded.encode("Marfan <|end|> 12") == tokenizer.encode("Marfan <|end|> 12")
    assert loaded.control_tokens == CONTROLS


def test_changed_and_missing_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="neither tokenizer.json"):
        Tokenizer.load(tmp_path)
    SPACED.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    state = json.loads(path.read_text())
    state["added_tokens"].pop()
    path.write_text(json.dumps(state))
    with pytest.raises(ValueError, match="were changed"):
        Tokenizer.load(tmp_path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(ValueError, match="cannot be read as JSON"):
        Tokenizer.load(tmp_path)


def test_control_tokens_inside_the_vocabulary_are_taken_out(tmp_path):
    # Llama-3 files look a whole word up before merging (ignore_merges): with the control token
    # in the vocabulary the plain text "<s>" would become its id.
    plain = train_tokenizer([], TokenizerConfig(vocab_size=272, normalization="none"), ())
    plain.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    state = json.loads(path.read_text())
    state["model"]["vocab"]["<s>"] = 256
    state["model"]["ignore_merges"] = True
    state["pre_tokenizer"] = state["pre_tokenizer"]["pretokenizers"][1]  # no split before bytes
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    state["added_tokens"] = [{"id": 256, "content": "<s>", "special": True, **flags}]
    path.write_text(json.dumps(state))
    (tmp_path / "medr_tokenizer.json").unlink()
    loaded = Tokenizer.load(tmp_path)
    assert loaded.control("<s>") == 256
    assert len(loaded.encode("<s>")) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "Unigram"}, "only BPE"),
        ({"vocab": {"a": 0}, "merges": []}, "bytes have no token"),
        ({"merges": [["a", "nowhere"]]}, "not a tokenizer that"),
    ],
)
def test_other_tokenizer_models_are_refused(tmp_path, change, message):
    SPACED.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    state = json.loads(path.read_text())
    state["model"].update(change)
    path.write_text(json.dumps(state))
    with pytest.raises(ValueError, match=message):
        Tokenizer.load(tmp_path)


def test_unknown_control_tokens_and_settings_are_named():
    with pytest.raises(ValueError, match=r"<\|im_end\|>.*another protocol"):
        SPACED.control("<|im_end|>")
    with pytest.raises(ValueError, match=r"tokenizer\.normalization='lower'"):
        TokenizerConfig(normalization="lower")
    with pytest.raises(ValueError, match=r"tokenizer\.vocab_size=200"):
        TokenizerConfig(vocab_size=200)
    with pytest.raises(ValueError, match="destroy"):
        TokenizerConfig(protocol="chatml")
    with pytest.raises(ValueError, match=r"tokenizer\.protocol='xml'"):
        TokenizerConfig(protocol="xml")
    with pytest.raises(ValueError, match="repeat"):
        train_tokenizer([], TokenizerConfig(), ("<a>", "<a>"))


def test_byte_alphabet_is_the_one_of_gpt2():
    from tokenizers import pre_tokenizers

    alphabet = hf_files.byte_alphabet()
    assert set(alphabet) == set(pre_tokenizers.ByteLevel.alphabet())
    assert alphabet["Ġ"] == ord(" ") and alphabet["Ċ"] == ord("\n")


def test_qwen_files_load(shared_data):
    tokenizer = Tokenizer.load(shared_data / "qwen2_5_tokenizer")
    assert tokenizer.control("<tool_call>") == 151657
    assert tokenizer.vocab_size == 151665
    # "<tool_call>" is not marked special in Qwen's files; encode_special_tokens alone lets it by.
    assert 151657 not in tokenizer.encode("a <tool_call> b<|im_end|>")
    text = "Marfan's syndrome\n\n  in 14/15 patients; naïve"
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parity
def test_qwen_ids_equal_those_of_transformers(shared_data):
    transformers = pytest.importorskip("transformers")
    path = shared_data / "qwen2_5_tokenizer"
    reference = transformers.AutoTokenizer.from_pretrained(str(path))
    tokenizer = Tokenizer.load(path)
    for text in (
        "Marfan's syndrome\n\n  in 14/15 patients; naïve e\u0301 \t x",
        '{"name": "search", "arguments": {"query": "ÅÄÖ 123"}}\n',
        "日本語 и русский 🙂",
    ):
        assert tokenizer.encode(text) == reference.encode(text, add_special_tokens=False)


def test_byte_tokenizer_has_a_token_for_each_byte():
    assert byte_tokenizer("chatml").encode("aé") == byte_tokenizer("chatml").encode("a") + (
        byte_tokenizer("chatml").encode("é")
    )
    assert len(byte_tokenizer("chatml").encode("aé")) == 3
