"""Drug labels of openFDA: the JSON of ``/drug/label``, as files or as the zipped downloads."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medr_jax.retrieval.authority import Evidence, base_authority
from medr_jax.retrieval.corpus import Document, list_segment, prose_segment
from medr_jax.retrieval.sources.base import Item, Skipped, distinct, iso_date, one_line
from medr_jax.retrieval.sources.json_stream import elements

SOURCE = "openFDA"
LICENCE = "CC0-1.0"

_SECTIONS = (
    *("boxed_warning", "indications_and_usage", "contraindications", "warnings"),
    *("warnings_and_cautions", "precautions", "adverse_reactions", "drug_interactions"),
    *("dosage_and_administration", "use_in_specific_populations", "pregnancy", "overdosage"),
    *("mechanism_of_action", "clinical_pharmacology", "pharmacokinetics", "clinical_studies"),
    *("active_ingredient", "inactive_ingredient", "purpose", "description"),
)
"""In the order shown: what limits a drug's use comes first."""

_REGISTERS = (
    ("application_number", ""),
    ("product_ndc", "NDC:"),
    ("rxcui", "RXCUI:"),
    ("unii", "UNII:"),
)


def read(path: Path, skipped: Skipped) -> Iterator[Item]:
    """Labels in the order of the file."""
    for where, label in elements(path, "results", skipped):
        try:
            yield _document(label)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            skipped.add(where, f"not a drug label: {type(error).__name__} {error}")


def _document(label: dict[str, Any]) -> Document:
    names = label.get("openfda", {})
    set_id = label["set_id"]
    brands, generics = (_texts(names, key) for key in ("brand_name", "generic_name"))
    products = _texts(label, "spl_product_data_elements")
    called = distinct([*brands, *generics, *_texts(names, "substance_name")])
    if not called and not products:
        raise ValueError(f"set_id {set_id}: it names no drug")
    date = str(label.get("effective_time", ""))
    return Document(
        doc_id=f"SPL:{set_id}",
        kind="drug_label",
        title=called[0] if called else products[0][:120],
        synonyms=called[1:],
        segments=tuple(_segments(label, names)),
        identifiers=distinct(
            [f"SPL:{set_id}"]
            + [prefix + value for key, prefix in _REGISTERS for value in _texts(names, key)]
        ),
        date=iso_date(date[:4], date[4:6], date[6:8]),
        source=SOURCE,
        licence=LICENCE,
        authority=base_authority(Evidence.REGULATORY),
        evidence=Evidence.REGULATORY.value,
    )


def _segments(label: dict[str, Any], names: dict[str, Any]) -> Iterator[str]:
    for section in _SECTIONS:
        for said in _texts(label, section):
            yield prose_segment(section.replace("_", " ").capitalize(), said)
    for heading, key in (
        ("Route", "route"),
        ("Pharmacologic class", "pharm_class_epc"),
        ("Manufacturer", "manufacturer_name"),
    ):
        if items := _texts(names, key):
            yield list_segment(heading, items)


def _texts(record: dict[str, Any], key: str) -> tuple[str, ...]:
    return distinct([one_line(text) for text in record.get(key, [])])
