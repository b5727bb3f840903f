"""RareBench (Chen et al. 2024, arXiv:2402.06341), differential diagnosis from phenotypes.

A case is a line of ``RAMEDIS.jsonl``, ``MME.jsonl``, ``HMS.jsonl`` or ``LIRICAL.jsonl``:
``{"Phenotype": ["HP:...", ...], "RareDisease": ["OMIM:...", "ORPHA:...", ...]}``. The authors'
``phenotype_mapping.json`` and ``disease_mapping.json`` give the names.
"""

import os
import re
from pathlib import Path
from typing import Any

from medr_jax.eval.benchmarks import base
from medr_jax.eval.benchmarks.base import Benchmark, BenchmarkItem
from medr_jax.grading import answers
from medr_jax.grading.grade import Grade

EXPECTED = (
    "a case file of RareBench (RAMEDIS.jsonl, MME.jsonl, HMS.jsonl, LIRICAL.jsonl) with Phenotype "
    "and RareDisease in each line, and phenotype_mapping.json and disease_mapping.json in the same "
    "folder or in a folder 'mapping' in or beside it"
)
MAX_RANKS = 10  # the authors ask for the ten most likely diseases
_RANK = re.compile(r"^\s*(?:\d+[.):]|[-*•])\s*")


def load(path: str | os.PathLike[str]) -> list[BenchmarkItem]:
    """The cases; gold is the disease's first name, aliases its other names and its codes."""
    path = Path(path)
    phenotypes, diseases = (_mapping(path, kind) for kind in ("phenotype", "disease"))
    items = (
        _item(path, number, row, phenotypes, diseases)
        for number, row in enumerate(base.read_json_lines(path, EXPECTED), start=1)
    )
    return base.checked(items, path, EXPECTED)


def grade(item: BenchmarkItem, prediction: str) -> Grade:
    """Correct when the first diagnosis is right; the score is 1 / rank within the first ten."""
    lines = [_RANK.sub("", line).strip() for line in prediction.splitlines()]
    ranked = [line for line in lines if line][:MAX_RANKS]
    for rank, diagnosis in enumerate(ranked, start=1):
        if any(answers.equal(diagnosis, name) for name in (item.gold, *item.aliases)):
            return Grade(correct=rank == 1, rule="rank", score=1 / rank, note=f"rank {rank}")
    return Grade.of(False, "rank", f"not among the first {MAX_RANKS}")


def _item(
    path: Path, number: int, row: dict[str, Any], phenotypes: dict, diseases: dict
) -> BenchmarkItem:
    where = f"{path}:{number}"
    codes = list(base.field(row, "RareDisease", where, EXPECTED))
    signs = [_name(phenotypes, code) for code in base.field(row, "Phenotype", where, EXPECTED)]
    names = list(dict.fromkeys(name for code in codes for name in _names(diseases, code)))
    if not names:
        raise ValueError(f"{where}: no name for {codes} in disease_mapping.json; {EXPECTED}")
    return BenchmarkItem(
        item_id=f"{path.stem}-{number:04d}",
        question=(
            f"A patient has these phenotypes: {'; '.join(signs)}. List the {MAX_RANKS} most likely "
            "rare diseases, one a line, the most likely first."
        ),
        gold=names[0],
        aliases=(*names[1:], *codes),
        groups={"set": path.stem, "department": str(row.get("Department") or "unknown")},
    )


def _mapping(path: Path, kind: str) -> dict[str, Any]:
    name = f"{kind}_mapping.json"
    places = (path.parent, path.parent / "mapping", path.parent.parent / "mapping")
    found = next((folder / name for folder in places if (folder / name).is_file()), None)
    if found is None:
        raise ValueError(f"{path}: no {name} beside it; expected {EXPECTED}")
    return base.read_json(found, EXPECTED)


def _names(mapping: dict[str, Any], code: str) -> list[str]:
    """All names of a code: a string, with "/" between names, or a list."""
    value = mapping.get(code) or []
    parts = value if isinstance(value, list) else re.split(r"\s*/\s*", str(value))
    return [str(part).strip() for part in parts if str(part).strip()]


def _name(mapping: dict[str, Any], code: str) -> str:
    return next(iter(_names(mapping, code)), code)


BENCHMARK = Benchmark(
    name="rarebench",
    load=load,
    grade=grade,
    expected=EXPECTED,
    source="RareBench, arXiv:2402.06341",
    rule="the first diagnosis, entity-aware match; score 1 / rank within ten",
)
