"""FDA's Orange Book: the zip (or its folder) with products, patent and exclusivity files.

Rows of one product stand in three ``~``-delimited files, in no common order. They meet in a
temporary SQLite file, so memory does not grow with them.
"""

import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from medr_jax.retrieval.authority import Evidence, base_authority
from medr_jax.retrieval.corpus import Document, list_segment
from medr_jax.retrieval.sources.base import Item, Skipped, distinct, iso_date, one_line, opened

SOURCE = "FDA Orange Book"
LICENCE = "public domain (US government)"

PRODUCTS, PATENTS, EXCLUSIVITY = "products", "patent", "exclusivity"
_KEY = ("Appl_Type", "Appl_No", "Product_No")
_APPLICATIONS = {"N": "NDA", "A": "ANDA", "B": "BLA"}

_DATE = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4})")

_Row: TypeAlias = dict[str, str]  # name of the column -> cell


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """One document a product, in order of application. ``path``: zip, folder, or one file.

    Raises:
        ValueError: none of the three files is there.
    """
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not any(_table(file.name) or file.suffix == ".zip" for file in files):
        raise ValueError(f"{path}: no products.txt, patent.txt or exclusivity.txt here")
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "rows.sqlite")
        try:
            yield from _joined(database, files, skipped)
        finally:
            database.close()


def _table(name: str) -> str | None:
    return next((t for t in (PRODUCTS, PATENTS, EXCLUSIVITY) if t in name.lower()), None)


def _joined(
    database: sqlite3.Connection, files: Sequence[Path], skipped: Skipped
) -> Iterator[Document]:
    database.execute("pragma synchronous = off")
    database.execute("create table rows (key text, kind text, line text, columns text)")
    for file in files:
        database.executemany("insert into rows values (?, ?, ?, ?)", _rows(file, skipped))
    database.execute("create index by_key on rows (key)")
    ordered = database.execute("select key, kind, line, columns from rows order by key, rowid")
    group: dict[str, list[_Row]] = {}
    current = None
    for key, kind, line, columns in ordered:
        if key != current and group:
            yield _document(current, group)
            group = {}
        current = key
        cells = dict(zip(columns.split("~"), map(one_line, line.split("~")), strict=True))
        group.setdefault(kind, []).append(cells)
    if group:
        yield _document(current, group)


def _rows(file: Path, skipped: Skipped) -> Iterator[tuple[str, str, str, str]]:
    for name, data in opened(file, skipped):
        kind = _table(name.rpartition("/")[2])
        if kind is None:  # a note that lies beside the tables
            continue
        columns: list[str] = []
        for number, raw in enumerate(data, start=1):
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace").rstrip()
            if number == 1:
                columns = line.split("~")
                if missing := set(_KEY) - set(columns):
                    skipped.add(f"{name}:1", f"columns {sorted(missing)} are missing")
                    break
                continue
            cells = line.split("~")
            if len(cells) != len(columns):
                skipped.add(f"{name}:{number}", f"{len(cells)} cells, not {len(columns)}")
                continue
            key = "~".join(cells[columns.index(part)] for part in _KEY)
            yield key, kind, "~".join(cells), "~".join(columns)


def _document(key: str, group: dict[str, list[_Row]]) -> Document:
    kind, number, product = key.split("~")
    application = f"{_APPLICATIONS.get(kind, kind)}{number}"
    products = group.get(PRODUCTS, [])
    first = products[0] if products else {}
    names = distinct([first.get("Trade_Name", ""), first.get("Ingredient", "").replace(";", ", ")])
    approved = first.get("Approval_Date", "")
    return Document(
        doc_id=f"{application}:{product}",
        kind="drug_product",
        title=names[0] if names else f"{application} product {product}",
        synonyms=names[1:],
        segments=tuple(_segments(group)),
        identifiers=(f"{application}:{product}", application),
        date=_date(approved),
        source=SOURCE,
        licence=LICENCE,
        authority=base_authority(Evidence.REGULATORY),
        evidence=Evidence.REGULATORY.value,
    )


def _segments(group: dict[str, list[_Row]]) -> Iterator[str]:
    for label, column in (
        ("Active ingredients", "Ingredient"),
        ("Form and route", "DF;Route"),
        ("Strength", "Strength"),
        ("Applicant", "Applicant_Full_Name"),
        ("Therapeutic equivalence", "TE_Code"),
        ("Marketing type", "Type"),
        ("Approved", "Approval_Date"),
    ):
        said = distinct([row.get(column, "").replace(";", ", ") for row in group.get(PRODUCTS, [])])
        if said:
            yield list_segment(label, said)
    patents = [_patent(row) for row in group.get(PATENTS, [])]
    if patents:
        yield list_segment("Patents", distinct(patents))
    exclusive = [
        f"{row['Exclusivity_Code']} until {_date(row['Exclusivity_Date'])}"
        for row in group.get(EXCLUSIVITY, [])
    ]
    if exclusive:
        yield list_segment("Exclusivity", distinct(exclusive))


def _patent(row: _Row) -> str:
    """ "7625884 expires 2026-08-24, drug substance, use U-141"."""
    parts = [f"{row['Patent_No']} expires {_date(row['Patent_Expire_Date_Text'])}"]
    parts += ["drug substance"] if row["Drug_Substance_Flag"] == "Y" else []
    parts += ["drug product"] if row["Drug_Product_Flag"] == "Y" else []
    parts += [f"use {row['Patent_Use_Code']}"] if row["Patent_Use_Code"] else []
    parts += ["delisted"] if row["Delist_Flag"] == "Y" else []
    return ", ".join(parts)


def _date(text: str) -> str:
    """ "2026-08-24" of "Aug 24, 2026"; what is no such date (as "Approved Prior to ...") is ""."""
    found = _DATE.fullmatch(text)
    return iso_date(found[3], found[1], found[2]) if found else ""
