"""The picture of a ledger says what the ledger says."""

import io

import rich.console

from medr_jax.testing.tokens import byte_tokenizer
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.tokens.show import printable, show, spans
from medr_jax.types import Hit, Status, ToolCall, ToolResult


def make_ledger() -> Ledger:
    protocol = get_protocol("compact")
    ledger = Ledger(byte_tokenizer(), protocol)
    ledger.append_context(protocol.prompt("a gene [bold]?", ()))
    call = ToolCall(name="search", arguments={"query": "x"})
    ledger.append_text_completion(ParsedTurn(thought="look", calls=(call,)))
    hits = (Hit(doc_id="d", title="One", label=1), Hit(doc_id="e", title="Two", label=2))
    ledger.append_context(protocol.observation([ToolResult(status=Status.OK, hits=hits)]))
    ledger.append_text_completion(ParsedTurn(answer_text="y", cited_labels=(1,)))
    return ledger


def test_spans_cover_the_ledger_and_follow_its_mask():
    ledger = make_ledger()
    found = spans(ledger, byte_tokenizer())
    mask = [span.trained for span in found for _ in range(span.num_tokens)]
    assert mask == ledger.loss_mask.tolist()
    assert [span.text for span in found if span.trained and not span.is_control] == [
        "look",
        "search : x",
        "y",
        "1",
    ]


def printed(**options: object) -> str:
    out = io.StringIO()
    show(make_ledger(), byte_tokenizer(), rich.console.Console(file=out, width=90, **options))
    return out.getvalue()


def test_lines_are_marked_with_and_without_colour():
    plain = [" ".join(line.split()) for line in printed().splitlines()]
    # The closing "]" is spaced by the tokenizer; markup in a question is text.
    assert "· user 19 <|user|>a gene [ bold ] ?" in plain
    assert "● 0 call 12 <tool_call>search : x" in plain
    assert "· 0 tool 8 <|tool|><hit>1 one" in plain
    assert "· 0 tool 7 <hit>2 two" in plain
    assert "● 1 end 1 <|end|>" in plain
    trained = int(make_ledger().loss_mask.sum())
    assert f"● in the loss: {trained} of {len(make_ledger())} tokens" in printed()
    coloured = printed(force_terminal=True, color_system="truecolor")
    assert "\x1b[1;4;33m<tool_call>" in coloured  # control tokens are underlined
    assert "\x1b[1;33m" in coloured and "\x1b" not in printed()


def test_terminal_escapes_in_documents_are_shown_not_obeyed():
    assert printable("a\x1b[31m\u202eb\nc\x00") == "a<U+001B>[31m<U+202E>b↵c<U+0000>"
