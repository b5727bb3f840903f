"""What a server reads of an exported model says what the model was trained on."""

import json

import jinja2
import pytest

from medr_jax.testing.tokens import CALLS, TURNS, byte_tokenizer, converse
from medr_jax.tokens import hf_export
from medr_jax.tokens.chatml_template import chat_template
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Hit

SCHEMA = {"name": "search", "description": "Finds “documents”.", "parameters": {}}
SHOWN = "[1] Marfan syndrome: Associated genes: FBN1."


MARFAN = Hit(doc_id="a", title="Marfan syndrome", snippet="Associated genes: FBN1.")


def render(messages, **settings):
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)

    def refuse(message):
        raise ValueError(message)

    environment.globals["raise_exception"] = refuse
    return environment.from_string(chat_template()).render(messages=messages, **settings)


def conversation():
    def function(call):
        return {
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }

    answer = {"name": "answer", "arguments": {"text": "FBN1", "citations": [1]}}
    result = {"role": "tool", "content": SHOWN}
    return [
        {"role": "user", "content": "Which gene?"},
        {
            "role": "assistant",
            "content": TURNS[0].thought,
            "tool_calls": [function(call) for call in CALLS],
        },
        *(result, result),
        {"role": "assistant", "content": None, "tool_calls": [function(CALLS[0])]},
        result,
        {"role": "assistant", "content": TURNS[2].thought, "tool_calls": [answer]},
    ]


def test_the_template_renders_what_was_trained_on():
    tokenizer = byte_tokenizer("chatml")
    trajectory = converse(MARFAN)
    ledger = ledger_from_trajectory(trajectory, tokenizer, get_protocol("chatml"), [SCHEMA])
    rendered = render(conversation(), tools=[{"type": "function", "function": SCHEMA}])
    assert rendered == tokenizer.decode(ledger.token_ids) + "\n"
    # A flat description, and one of the answer function that is in the system message anyway.
    assert render(conversation(), tools=[SCHEMA, {"name": "answer"}]) == rendered


def test_a_prompt_ends_where_the_model_goes_on():
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert render(asked, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    with pytest.raises(ValueError, match="leave yours out"):
        render(asked, tools=[SCHEMA])


def test_files_for_a_server(tmp_path):
    tokenizer = byte_tokenizer("chatml")
    hf_export.write_serving_files(tmp_path, tokenizer, "chatml", max_length=99)
    back = Tokenizer.load(tmp_path)
    assert back.content_hash == tokenizer.content_hash
    added = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    special = {token["content"] for token in added if token["special"]}
    # A parser of tool calls reads text from which special tokens were dropped.
    assert special == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["eos_token"] == "<|im_end|>" and settings["model_max_length"] == 99
    generation = json.loads((tmp_path / "generation_config.json").read_text())
    assert tokenizer.control("<|im_end|>") in generation["eos_token_id"]


def test_a_tokenizer_that_rewrites_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match="normalization=spaced cannot be expressed"):
        hf_export.write_serving_files(tmp_path, byte_tokenizer(), "compact", max_length=9)
