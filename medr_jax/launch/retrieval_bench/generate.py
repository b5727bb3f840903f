"""A corpus of any size whose word frequencies are like those of text."""

from collections.abc import Iterator

import numpy as np

from medr_jax.retrieval.corpus import Document

_VOCABULARY = 200_000
_ZIPF = 1.1  # rank ^ -1.1, about that of biomedical abstracts
_WORDS = (30, 110)  # of a document, uniformly
_TITLE_WORDS = 6
_QUERY_TERMS = 12
_BLOCK = 10_000
KINDS = ("article", "trial", "disease", "phenotype", "gene")
_SYLLABLES = tuple(c + v for c in "bcdfghklmnprstvz" for v in "aeiou")


def generated_documents(count: int, seed: int) -> Iterator[Document]:
    """Documents of words drawn by rank; kinds in turn, dates over thirty years."""
    vocabulary = np.array([_word(n) for n in range(_VOCABULARY)])
    cumulative = _cumulative()
    rng = np.random.default_rng(seed)
    for start in range(0, count, _BLOCK):
        lengths = rng.integers(*_WORDS, size=min(_BLOCK, count - start))
        words = vocabulary[np.searchsorted(cumulative, rng.random(int(lengths.sum())))]
        end = 0
        for offset, length in enumerate(lengths.tolist()):
            number, begin, end = start + offset, end, end + length
            said = words[begin:end].tolist()
            yield Document(
                doc_id=f"G:{number:07}",
                kind=KINDS[number % len(KINDS)],
                title=" ".join(said[:_TITLE_WORDS]),
                segments=(" ".join(said[_TITLE_WORDS:]) + ".",),
                date=f"{1995 + number % 30}-{1 + number % 12:02}",
                source=f"source {number % 3}",
            )


def generated_queries(count: int, seed: int) -> list[str]:
    """Twelve words each, drawn as those of the documents are but for the 50 most common."""
    cumulative = _cumulative()
    rng = np.random.default_rng([seed, 1])
    least = cumulative[49]
    drawn = least + (1 - least) * rng.random((count, _QUERY_TERMS))
    ranks = np.searchsorted(cumulative, drawn)
    return [" ".join(_word(int(rank)) for rank in row) for row in ranks]


def _cumulative() -> np.ndarray:
    weights = np.arange(1, _VOCABULARY + 1, dtype=np.float64) ** -_ZIPF
    cumulative = np.cumsum(weights)
    return cumulative / cumulative[-1]


def _word(rank: int) -> str:
    """A pronounceable word for each rank; common ones are short."""
    base, number, parts = len(_SYLLABLES), rank, []
    while True:
        parts.append(_SYLLABLES[number % base])
        number = number // base - 1
        if number < 0:
            return "".join(parts) + "x"  # no English stem ends so
