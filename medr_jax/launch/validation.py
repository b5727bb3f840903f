"""Reads what a user brings and lists everything that is wrong with it."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from medr_jax import console, jsonl
from medr_jax.graph import mondo_table
from medr_jax.graph.build import SourceConfig, assemble
from medr_jax.graph.sources.base import Problem, SourceRecords
from medr_jax.graph.sources.formats import FORMATS
from medr_jax.retrieval.corpus import Document

PROBLEMS = "problems.jsonl"


def validate_data(config: SimpleNamespace) -> list[Problem]:
    """The problems of ``config.graph`` and ``config.corpora``, printed and written down."""
    problems: list[Problem] = []
    records = [found for source in config.graph.sources for found in _read(source, problems)]
    if records and not problems:
        try:
            console.facts(assemble(records, mondo_table.shipped()).counts)
        except ValueError as error:
            problems.append(Problem(file="the sources together", line=0, message=str(error)))
    for corpus in config.corpora:
        found = list(corpus_problems(Path(corpus)))
        problems += found
        console.say(f"{corpus}: {len(found):,} problems")
    for problem in problems:
        print(problem)
    jsonl.write(config.run_dir / PROBLEMS, problems)
    console.say(f"{len(problems):,} problems, listed in {config.run_dir / PROBLEMS}")
    return problems


def _read(source: SourceConfig, problems: list[Problem]) -> list[SourceRecords]:
    try:
        records = FORMATS[source.format].read(source.resolved())
    except ValueError as error:  # the file as a whole; its message names it
        problems.append(Problem(file=source.path or source.format, line=0, message=str(error)))
        return []
    problems += records.problems
    console.say(
        f"{records.snapshot}: {len(records.entities):,} entities, "
        f"{len(records.edges) + sum(map(len, records.blocks)):,} edges, "
        f"{len(records.problems):,} problems"
    )
    return [records]


def corpus_problems(path: Path) -> Iterator[Problem]:
    """Lines of a JSONL corpus that are no documents, or whose id is empty or used before."""
    if not path.is_file():
        yield Problem(file=str(path), line=0, message="no such file")
        return
    seen: dict[str, int] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                document = jsonl.decode(line, Document)
            except ValueError as error:
                yield Problem(file=str(path), line=number, message=str(error))
                continue
            if not document.doc_id:
                yield Problem(file=str(path), line=number, message="doc_id is empty")
            elif document.doc_id in seen:
                message = f"doc_id {document.doc_id!r} stands in line {seen[document.doc_id]} too"
                yield Problem(file=str(path), line=number, message=message)
            seen.setdefault(document.doc_id, number)
