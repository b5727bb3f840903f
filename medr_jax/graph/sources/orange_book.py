"""Reader of the FDA's Orange Book: ``products.txt``, ``patent.txt``, ``exclusivity.txt``.

Cells are separated by "~". A product is an application's number with the product's: N021845-001.
"""

import csv
import datetime
import re
from pathlib import Path

from medr_jax.graph.sources.base import Collector, SourceRecords, delimited_rows, require
from medr_jax.types import Kind, Relation

PRODUCTS, PATENTS, EXCLUSIVITIES = "products.txt", "patent.txt", "exclusivity.txt"
LICENCE = "US public domain"
_PRODUCT = ("Appl_Type", "Appl_No", "Product_No")
_BEFORE = re.compile(r"Approved Prior to (\w{3} \d{1,2}, \d{4})")


def read_orange_book(path: Path) -> SourceRecords:
    """Products with ingredients, applicant, approval, patents and exclusivities with expiry.

    Any of the three files may be missing; the samples that circulate are often one of them. A
    patent's listing that is to be removed (Delist_Flag) has the qualifier "delist requested".

    Raises:
        ValueError: none of the files is there, or one lacks a column.
    """
    readers = {PRODUCTS: _product, PATENTS: _patent, EXCLUSIVITIES: _exclusivity}
    files = [path] if path.is_file() else [path / name for name in readers]
    files = [file for file in files if file.is_file()]
    if not files:
        raise ValueError(f"{path}: holds none of {', '.join(readers)}")
    found = Collector("FDA Orange Book", origin=path.name, licence=LICENCE)
    for file in files:
        name = next((name for name in readers if file.name.endswith(name)), PRODUCTS)
        required = [*_PRODUCT, *_REQUIRED[name]]
        rows = delimited_rows(
            file, found.records, required=required, delimiter="~", quoting=csv.QUOTE_NONE
        )
        for line, row in rows:
            try:
                readers[name](found, row)
            except ValueError as error:
                found.records.problem(file, line, error)
    return found.records


_REQUIRED = {
    PRODUCTS: ("Ingredient", "Trade_Name", "Strength", "Approval_Date"),
    PATENTS: ("Patent_No", "Patent_Expire_Date_Text", "Delist_Flag"),
    EXCLUSIVITIES: ("Exclusivity_Code", "Exclusivity_Date"),
}


def us_date(text: str) -> str:
    """ "Aug 24, 2026" as 2026-08-24. Raises ValueError for anything else."""
    try:
        return datetime.datetime.strptime(text, "%b %d, %Y").date().isoformat()
    except ValueError:
        raise ValueError(f"date {text!r} is not like 'Aug 24, 2026'") from None


def _number(row: dict[str, str]) -> str:
    kind, application, product = (require(row[name], name) for name in _PRODUCT)
    if kind not in ("N", "A") or not (application.isdecimal() and product.isdecimal()):
        raise ValueError(f"{kind}~{application}~{product} is no application and product number")
    return f"{kind}{application}-{product}"


def _entity(found: Collector, row: dict[str, str], name: str = "") -> str:
    number = _number(row)
    called = " ".join(filter(None, (name, f"({number})")))
    return found.entity(f"FDA:{number}", Kind.PRODUCT, called, xrefs=(f"FDA:{number[:7]}",))


def _product(found: Collector, row: dict[str, str]) -> None:
    approval = row["Approval_Date"]
    before = _BEFORE.fullmatch(approval)
    day = us_date(before[1] if before else approval)
    ingredients = [one.strip() for one in require(row["Ingredient"], "Ingredient").split(";")]
    product = _entity(found, row, f"{row['Trade_Name']} {row['Strength']}".strip())
    cited = {"references": (_cited(row),)}
    for ingredient in filter(None, ingredients):
        drug = found.named(Kind.DRUG, ingredient.lower())
        found.edge(product, Relation.CONTAINS, drug, **cited)
    applicant = row.get("Applicant_Full_Name") or row.get("Applicant")
    if applicant:
        found.edge(product, Relation.MADE_BY, found.named(Kind.ORGANIZATION, applicant), **cited)
    if not before:  # "prior to 1982" gives no day
        found.edge(product, Relation.APPROVED_ON, found.date(day), date=day, **cited)


def _patent(found: Collector, row: dict[str, str]) -> None:
    number = require(row["Patent_No"], "Patent_No")
    day = us_date(row["Patent_Expire_Date_Text"])
    product = _entity(found, row)
    patent = found.entity(f"USPATENT:{number}", Kind.PATENT, f"US patent {number}")
    use = row.get("Patent_Use_Code", "")
    delist = "delist requested" if row["Delist_Flag"] == "Y" else ""
    qualifier = "; ".join(filter(None, (use, delist)))
    cited = {"references": (_cited(row),), "date": day}
    found.edge(product, Relation.PROTECTED_BY, patent, qualifier=qualifier, **cited)
    found.edge(patent, Relation.EXPIRES_ON, found.date(day), **cited)


def _exclusivity(found: Collector, row: dict[str, str]) -> None:
    code = require(row["Exclusivity_Code"], "Exclusivity_Code")
    day = us_date(row["Exclusivity_Date"])
    product = _entity(found, row)
    number = _number(row)
    exclusivity = found.entity(
        f"FDA:{number}:{code}", Kind.EXCLUSIVITY, f"exclusivity {code} of {number}"
    )
    cited = {"references": (_cited(row),), "date": day}
    found.edge(product, Relation.PROTECTED_BY, exclusivity, qualifier=code, **cited)
    found.edge(exclusivity, Relation.EXPIRES_ON, found.date(day), **cited)


def _cited(row: dict[str, str]) -> str:
    return f"FDA:{row['Appl_Type']}{row['Appl_No']}"
