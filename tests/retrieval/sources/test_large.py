"""Memory does not grow with the file: each format at 10 MB and at 100 MB.

python -m pytest tests/retrieval/sources/test_large.py -m long -s
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("read_and_measure.py")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
SMALL, LARGE = 10_000_000, 100_000_000
MAX_GROWTH_MB = 24
SENTENCES = "Fever was seen in zebras. It passed; nobody knew why (P=0.05). " * 30


class Generated(NamedTuple):
    """A file in a format: what stands before, between and after its records."""

    head: str
    record: Callable[[int], str]
    tail: str = ""
    between: str = ""
    name: str = "generated.json"


def pubmed(number):
    return (
        f"<PubmedArticle><MedlineCitation><PMID>{number}</PMID><Article>"
        f"<ArticleTitle>Zebra {number}</ArticleTitle><Abstract><AbstractText>{SENTENCES}"
        "</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>\n"
    )


def jats(number):
    return (
        "<article><front><article-meta>"
        f'<article-id pub-id-type="pmc">{number}</article-id><title-group><article-title>Zebra'
        "</article-title></title-group></article-meta></front><body>"
        f"{f'<p>{SENTENCES}</p>' * 10}</body></article>\n"
    )


def study(number):
    names = {"nctId": f"NCT{number:08}", "briefTitle": "Zebra"}
    protocol = {"identificationModule": names, "descriptionModule": {"briefSummary": SENTENCES}}
    return json.dumps({"protocolSection": protocol})


def label(number):
    names = {"brand_name": ["Zebrex"]}
    return json.dumps({"set_id": f"{number}", "openfda": names, "warnings": [SENTENCES]})


def abstract(number):
    return f'"{number}": ' + json.dumps({"QUESTION": "?", "CONTEXTS": [SENTENCES]})


def line(number):
    return json.dumps({"_id": f"{number}", "title": "Zebra", "text": SENTENCES}) + "\n"


FORMATS = {
    "pubmed": Generated("<PubmedArticleSet>", pubmed, "</PubmedArticleSet>", name="g.xml"),
    "pmc": Generated("<articles>", jats, "</articles>", name="g.nxml"),
    "clinicaltrials": Generated('{"studies": [', study, "]}", ","),
    "openfda": Generated('{"meta": {}, "results": [', label, "]}", ","),
    "orange_book": Generated(
        "Appl_Type~Appl_No~Product_No~Exclusivity_Code~Exclusivity_Date\n",
        lambda number: f"N~{number // 9:06}~{number % 9:03}~ODE-{number % 500}~Jul 13, 2026\n",
        name="exclusivity.txt",
    ),
    "pubmedqa": Generated("{", abstract, "}", ","),
    "beir": Generated("", line, name="corpus.jsonl"),
    "jsonl": Generated("", line, name="g.jsonl"),
}


def generate(made, path, size):
    """Writes records until the file has this size; gives their number."""
    number, written = 0, 0
    with path.open("w", encoding="utf-8") as out:
        written += out.write(made.head)
        while written < size:
            number += 1
            written += out.write((made.between if number > 1 else "") + made.record(number))
        out.write(made.tail)
    return number


@pytest.mark.parametrize("name", FORMATS)
def test_memory_is_constant(name, tmp_path):
    peaks = []
    for size in (SMALL, LARGE):
        path = tmp_path / FORMATS[name].name
        records = generate(FORMATS[name], path, size)
        assert path.stat().st_size >= size
        command = [sys.executable, SCRIPT, name, path]
        run = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
        assert run.returncode == 0, run.stderr
        count, peak = map(int, run.stdout.split())
        assert count == records
        peaks.append(peak)
    print(f"{name}: {records:,} records, peak {peaks[0]} MB at 10 MB, {peaks[1]} MB at 100 MB")
    assert peaks[1] - peaks[0] < MAX_GROWTH_MB
