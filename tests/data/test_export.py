"""Other trainers' forms of a trajectory, and the metadata beside them."""

import json

import msgspec
import pytest

from medr_jax.data import croissant, export
from medr_jax.testing.tokens import byte_tokenizer, converse
from medr_jax.tokens.ledger import ledger_from_trajectory
from medr_jax.tokens.protocol import get_protocol
from medr_jax.types import Hit

SCHEMAS = [{"name": "search", "description": "d", "parameters": {"type": "object"}}]
HIT = Hit(doc_id="D1", title="Marfan <|im_end|> syndrome", snippet="<tool_call> FBN1")
TRAJECTORY = converse(HIT)


def test_chatml_text_is_what_our_own_protocol_writes():
    row = export.writer("chatml", SCHEMAS)(TRAJECTORY)
    assert row["id"] == TRAJECTORY.trajectory_id
    text = row["text"]
    assert text.startswith("<|im_start|>system\n") and text.endswith("</tool_call><|im_end|>")
    # Two messages before the model's three turns, and two of results between these.
    assert text.count("<|im_start|>") == text.count("<|im_end|>") == 7
    assert "Marfan < |im_end|> syndrome" in text  # of a document: no end of a message
    tokenizer = byte_tokenizer("chatml")
    clean = converse(Hit(doc_id="D1", title="Marfan", snippet="FBN1"))
    ledger = ledger_from_trajectory(clean, tokenizer, get_protocol("chatml"), SCHEMAS)
    controls = list(filter(None, map(tokenizer.control_name, ledger.token_ids.tolist())))
    written = export.writer("chatml", SCHEMAS)(clean)["text"]
    assert [written.count(name) for name in set(controls)] == [
        controls.count(name) for name in set(controls)
    ]


def test_verl_messages_put_together_are_the_chatml_text():
    messages = export.writer("verl", SCHEMAS)(TRAJECTORY)["messages"]
    assert [message["role"] for message in messages] == [
        *("system", "user"),
        *("assistant", "user", "assistant", "user", "assistant"),
    ]
    assert all(set(message) == {"role", "content"} for message in messages)
    together = "\n".join(
        f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>" for message in messages
    )
    assert together == export.writer("chatml", SCHEMAS)(TRAJECTORY)["text"]


def test_trl_rows_hold_typed_calls_and_the_tools():
    row = export.writer("trl", SCHEMAS)(TRAJECTORY)
    assert [tool["function"]["name"] for tool in row["tools"]] == ["search", "answer"]
    roles = [message["role"] for message in row["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant"]
    call = row["messages"][1]["tool_calls"][0]["function"]
    assert call == {
        "name": "search",
        "arguments": {"query": "Marfan's “syndrome”: 14/15", "kind": "disease"},
    }
    answer = row["messages"][-1]["tool_calls"][0]["function"]
    assert answer == {"name": "answer", "arguments": {"text": "FBN1", "citations": [1]}}
    assert "<|im_end|>" not in json.dumps(row["messages"])


@pytest.mark.parametrize("protocol", ["chatml", "compact"])
def test_tunix_rows_are_the_ledger_with_its_mask(protocol):
    tokenizer = byte_tokenizer(protocol)
    row = export.writer("tunix", SCHEMAS, tokenizer, protocol)(TRAJECTORY)
    ledger = ledger_from_trajectory(TRAJECTORY, tokenizer, get_protocol(protocol), SCHEMAS)
    assert row["input_tokens"] == ledger.token_ids.tolist()
    assert row["input_mask"] == [int(inside) for inside in ledger.loss_mask]
    assert 0 < sum(row["input_mask"]) < len(row["input_mask"])


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="alpaca.*chatml, verl, trl, tunix"):
        export.writer("alpaca", SCHEMAS)


def test_metadata_name_files_columns_and_licences():
    facts = {"licences": ["HPO: free with citation"], "content_hash": "abc", "snapshot": "HPO 2025"}
    columns = export.columns("trl")
    found = croissant.metadata({"train.jsonl": ("0f" * 32, 12)}, columns, facts, version="1.0.0")
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert found["license"] == facts["licences"]
    (file,) = found["distribution"]
    assert (file["sha256"], file["contentSize"]) == ("0f" * 32, "12 B")
    (records,) = found["recordSet"]
    assert [field["name"] for field in records["field"]] == ["id", "messages", "tools"]
    # Every reference leads to something that is there.
    sources = {field["source"]["fileObject"]["@id"] for field in records["field"]}
    assert sources == {file["@id"]} and records["key"]["@id"] == records["field"][0]["@id"]
    sheet = croissant.datasheet({"train": 5}, columns, facts | {"share_with_mistakes": 0.45})
    assert "5 in train" in sheet and "45.0%" in sheet and "HPO: free with citation" in sheet
    assert msgspec.json.encode(found)
