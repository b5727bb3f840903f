"""A retrieval benchmark in BEIR's layout (arXiv:2104.08663): corpus, queries and judgements.

``corpus.jsonl``, ``queries.jsonl`` and ``qrels/<split>.tsv`` in one folder, as NFCorpus, SciFact
and TREC-COVID are handed out.
"""

from collections.abc import Iterator
from pathlib import Path

from medr_jax.retrieval.sources import json_lines
from medr_jax.retrieval.sources.base import Item, Skipped, one_line

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Documents of the corpus. ``path``: the folder, or the corpus file."""
    file = path / CORPUS if path.is_dir() else path
    for where, record in json_lines.objects(file, skipped):
        try:
            yield json_lines.document(record, source=file.parent.name)
        except (AttributeError, TypeError, ValueError) as error:
            skipped.add(where, error)


def queries(path: Path) -> dict[str, str]:
    """Query id -> text."""
    found = json_lines.objects(path / QUERIES, Skipped())
    return {str(record["_id"]): one_line(record["text"]) for _, record in found}


def judgements(path: Path, split: str = "test") -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade (0 = not relevant) of ``qrels/<split>.tsv``.

    Raises:
        ValueError: there is no such file, or a row has not three columns.
    """
    file = path / QRELS / f"{split}.tsv"
    if not file.is_file():
        raise ValueError(f"{file}: no such file; this folder has not BEIR's layout")
    grades: dict[str, dict[str, int]] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        cells = line.split("\t")
        if number == 1 and not cells[-1].strip().isdecimal():
            continue  # the header
        if len(cells) != 3:
            raise ValueError(f"{file}:{number}: {len(cells)} columns, not 3")
        query_id, doc_id, grade = cells
        grades.setdefault(query_id, {})[doc_id] = int(grade)
    return grades
