"""A ledger for a person's eyes: what is trained on, in colour and by a mark beside it."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import rich.console
import rich.table
import rich.text

from medr_jax.tokens.ledger import Ledger, role_counts
from medr_jax.tokens.protocol import Role
from medr_jax.tokens.tokenizer import Tokenizer

TRAINED_MARK, CONTEXT_MARK = "●", "·"
STYLES = {
    Role.SYSTEM: "grey50",
    Role.USER: "cyan",
    Role.TOOL: "grey70",
    Role.HEADER: "grey42",
    Role.THOUGHT: "bold green",
    Role.CALL: "bold yellow",
    Role.ANSWER: "bold magenta",
    Role.CITE: "bold magenta",
    Role.END: "bold red",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens in a row of one role, all control tokens or none; ``text`` is decoded from ids."""

    text: str
    role: Role
    trained: bool
    turn: int
    is_control: bool
    num_tokens: int


def spans(ledger: Ledger, tokenizer: Tokenizer) -> list[Span]:
    """The ledger cut wherever role, mask or turn changes, and around control tokens."""
    token_ids = ledger.token_ids
    is_control = [tokenizer.control_name(token_id) is not None for token_id in token_ids]
    columns = (ledger.roles, ledger.loss_mask, ledger.turns, is_control)
    found = []
    start = 0
    for end in range(1, len(ledger) + 1):
        if end < len(ledger) and all(column[start] == column[end] for column in columns):
            continue
        role, trained, turn, control = (column[start] for column in columns)
        found.append(
            Span(
                text=tokenizer.decode(token_ids[start:end]),
                role=Role(role),
                trained=bool(trained),
                turn=int(turn),
                is_control=control,
                num_tokens=end - start,
            )
        )
        start = end
    return found


def show(ledger: Ledger, tokenizer: Tokenizer, console: rich.console.Console) -> None:
    """Prints a line for each stretch of tokens: mark, turn, role, count, text; then totals.

    The mark says what the colour says, so the table also works without colour. Control tokens
    are underlined: text that only looks like one is not.
    """
    table = rich.table.Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    table.add_column("turn", justify="right")
    table.add_column("role")
    table.add_column("tokens", justify="right")
    table.add_column("text", overflow="fold")
    for line in _lines(spans(ledger, tokenizer)):
        named = next((span for span in line if span.role != Role.HEADER), line[0])
        shown = rich.text.Text()
        for span in line:
            style = f"{STYLES[span.role]} underline" if span.is_control else STYLES[span.role]
            shown.append(printable(span.text), style)
        table.add_row(
            rich.text.Text(TRAINED_MARK if named.trained else CONTEXT_MARK, STYLES[named.role]),
            str(named.turn) if named.turn >= 0 else "",
            named.role.name.lower(),
            str(sum(span.num_tokens for span in line)),
            shown,
        )
    console.print(table)
    trained = int(ledger.loss_mask.sum())
    counts = ", ".join(f"{name} {count}" for name, count in role_counts(ledger).items())
    console.print(
        f"{TRAINED_MARK} in the loss: {trained} of {len(ledger)} tokens   "
        f"{CONTEXT_MARK} context: {len(ledger) - trained}\ntokens by role: {counts}",
        markup=False,
        highlight=False,
    )


def printable(text: str) -> str:
    """Text that cannot move the cursor, ring, or reverse the line; newlines become a mark."""
    return "".join(
        "↵"
        if character == "\n"
        else f"<U+{ord(character):04X}>"
        if _hidden(character)
        else character
        for character in text
    )


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}


def _lines(parts: list[Span]) -> Iterator[list[Span]]:
    """Spans that belong together: one role's, and a header with the context that it opens."""
    line: list[Span] = []
    for span in parts:
        if line and not _belongs(line[-1], span):
            yield line
            line = []
        line.append(span)
    if line:
        yield line


def _belongs(before: Span, span: Span) -> bool:
    if (before.trained, before.turn) != (span.trained, span.turn):
        return False
    return span.role == before.role or (before.role == Role.HEADER and not span.trained)
