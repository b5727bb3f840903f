"""Consistent renaming of content tokens within a trajectory, as augmentation.

A model that is to copy names it has never seen must not lean on what the tokens mean. In a
share of the trajectories every content token is replaced by another, the same one at each of
its occurrences, so only copying can predict it.
"""

import numpy as np


class Relabeller:
    """Applies a random bijection of ``content_ids`` to a share of a row's trajectories.

    Called as ``relabeller(row, rng)``; equal generators give equal rows. Ids outside
    ``content_ids`` (control tokens, digits) stay.
    """

    def __init__(self, content_ids: np.ndarray, vocab_size: int, share: float) -> None:
        assert 0.0 <= share <= 1.0
        self._content_ids = np.asarray(content_ids, np.int32)
        self._identity = np.arange(vocab_size, dtype=np.int32)
        self._share = share

    def __call__(self, row: dict[str, np.ndarray], rng: np.random.Generator) -> dict:
        """The row with some trajectories relabelled, inputs and targets alike."""
        segment_ids = row["segment_ids"]
        num_segments = int(segment_ids.max(initial=0))
        chosen = np.flatnonzero(rng.random(num_segments) < self._share) + 1
        tables = np.tile(self._identity, (num_segments + 1, 1))
        for segment in chosen:
            tables[segment, self._content_ids] = rng.permutation(self._content_ids)
        return row | {name: tables[segment_ids, row[name]] for name in ("token_ids", "target_ids")}


def content_ids(tokenizer) -> np.ndarray:
    """Ids that may be relabelled: text without a digit, and more than punctuation or space."""
    found = [
        token_id
        for token_id in range(tokenizer.vocab_size)
        if tokenizer.control_name(token_id) is None and _is_content(tokenizer.decode([token_id]))
    ]
    return np.array(found, np.int32)


def _is_content(text: str) -> bool:
    return not any(c.isdigit() for c in text) and any(c.isalpha() for c in text)
