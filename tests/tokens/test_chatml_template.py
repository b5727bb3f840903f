"""The chatml protocol against Qwen2.5's own chat template and tokenizer."""

import json

import pytest

from medr_jax.testing.tokens import CALLS, TURNS, converse
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import Role, get_protocol
from medr_jax.tokens.tokenizer import Tokenizer
from medr_jax.types import Hit

SCHEMAS = [{"name": "search", "description": "Finds documents.", "parameters": {}}]
SHOWN = "[1] Marfan syndrome: Associated genes: FBN1.\n[2] Other: (NOT) 0/3"


MARFAN = Hit(doc_id="a", title="Marfan syndrome", snippet="Associated genes: FBN1.")
OTHER = Hit(doc_id="b", title="Other", snippet="(NOT) 0/3")


@pytest.fixture(scope="module")
def qwen(shared_data):
    return Tokenizer.load(shared_data / "qwen2_5_tokenizer")


@pytest.fixture
def ledger(qwen):
    trajectory = converse(MARFAN, OTHER)
    return ledger_from_trajectory(trajectory, qwen, get_protocol("chatml"), SCHEMAS)


@pytest.fixture
def rendered(shared_data):
    """The same conversation through the template, our system message given as content."""
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    template = shared_data / "qwen2_5_tokenizer" / "chat_template.jinja"
    prompt = get_protocol("chatml").prompt("", SCHEMAS)
    system = "".join(s.text or s.control for s in prompt if s.role == Role.SYSTEM)
    answer = {"name": "answer", "arguments": {"text": "FBN1", "citations": [1]}}
    calls = [{"name": call.name, "arguments": call.arguments} for call in CALLS]
    result = {"role": "tool", "content": SHOWN}
    messages = [
        {"role": "system", "content": system},
        {"role": "user", "content": "Which gene?"},
        {"role": "assistant", "content": TURNS[0].thought, "tool_calls": calls},
        *(result, result),
        {"role": "assistant", "content": "", "tool_calls": calls[:1]},
        result,
        {"role": "assistant", "content": TURNS[2].thought, "tool_calls": [answer]},
    ]
    return environment.from_string(template.read_text(encoding="utf-8")).render(messages=messages)


def test_text_equals_the_chat_template(qwen, ledger, rendered):
    # The last newline is the template's: the model ends with <|im_end|>.
    assert qwen.decode(ledger.token_ids) + "\n" == rendered


def test_the_newline_after_the_end_of_turn_is_not_trained(qwen, ledger):
    end = qwen.control("<|im_end|>")
    newline = qwen.encode("\n")
    token_ids, mask = ledger.token_ids.tolist(), ledger.loss_mask.tolist()
    trained_ends = [i for i, token in enumerate(token_ids) if token == end and mask[i]]
    assert len(trained_ends) == 3
    for position in trained_ends[:-1]:
        assert token_ids[position + 1 : position + 2] == newline
        assert not mask[position + 1]


@pytest.mark.parity
def test_ids_equal_those_of_the_template_tokenised_whole(shared_data, ledger, rendered):
    transformers = pytest.importorskip("transformers")
    reference = transformers.AutoTokenizer.from_pretrained(str(shared_data / "qwen2_5_tokenizer"))
    expected = reference.encode(rendered, add_special_tokens=False)
    assert [*ledger.token_ids.tolist(), *reference.encode("\n")] == expected
