"""``<tool_call>`` and its kin where a tokenizer has no control token for them: plain text."""

import bisect
import itertools
import re
from collections.abc import Iterator, Sequence

from medr_jax.tokens.protocol import Piece
from medr_jax.tokens.tokenizer import Tokenizer

CALL, CALL_END = "<tool_call>", "</tool_call>"

_OPENING = re.compile(r"<(?=/?tool_(?:call|response))")
_EITHER = re.compile(f"({CALL}|{CALL_END})")
_BLOCK = re.compile(f"{CALL}(.*?)(?={CALL_END}|$)", re.DOTALL)
_NOT_TEXT = "\0"


def broken(content: str) -> str:
    """Text that is only shown, with tags in it made into something else by a space."""
    return _OPENING.sub("< ", content)


def escaped(json_text: str) -> str:
    """The same JSON without tags in it."""
    return _OPENING.sub(r"\\u003c", json_text)


def split_at_tags(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces cut before every tag in their text, as if tags were control tokens."""
    cut = []
    for piece in pieces:
        first, *rest = _EITHER.split(piece.text)
        cut.append(Piece(piece.control, first))
        cut += itertools.starmap(Piece, zip(rest[::2], rest[1::2], strict=True))
    return cut


def calls_in_text(token_ids: Sequence[int], tokenizer: Tokenizer) -> Iterator[tuple[int, str]]:
    """Position of the token in which each ``<tool_call>`` of text begins, and what it holds.

    Tokens are decoded one by one, which may damage what is no ASCII; tags survive it.
    """
    shown = [
        tokenizer.decode([token_id]) if tokenizer.control_name(int(token_id)) is None else _NOT_TEXT
        for token_id in token_ids
    ]
    ends = list(itertools.accumulate(map(len, shown)))
    for found in _BLOCK.finditer("".join(shown)):
        yield bisect.bisect_right(ends, found.start()), found[1]
