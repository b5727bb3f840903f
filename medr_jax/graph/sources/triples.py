"""Reader of plain triples with provenance: TSV with a header, or JSONL with the same fields.

Required: source, relation, target. An end is an identifier; ``source_name`` and ``source_kind``
(likewise for the target) describe it, and need to stand in one row only. The other fields are
those of an edge: polarity, num_affected, num_observed, frequency, evidence, references
(separated by "|"), onset, sex, modifier, qualifier, date, origin, licence. The graph's export
has the same columns.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import msgspec

from medr_jax.graph.sources.base import (
    Collector,
    SourceRecords,
    delimited_rows,
    iso_date,
    open_text,
    require,
)
from medr_jax.graph.sources.unknown import generic_qualifier
from medr_jax.types import Kind, Polarity, Relation

REQUIRED = ("source", "relation", "target")
ENDS = (
    *("source_name", "source_kind", "source_definition", "source_synonyms"),
    *("target_name", "target_kind", "target_definition", "target_synonyms"),
)
TEXTS = (
    *("frequency", "evidence", "onset", "sex", "modifier", "qualifier", "date"),
    *("origin", "licence"),
)
COUNTS = ("num_affected", "num_observed")
COLUMNS = (*REQUIRED, "polarity", *COUNTS, "references", *TEXTS, *ENDS)
_PREFIX_KINDS = {"HP": Kind.PHENOTYPE, "GENE": Kind.GENE} | dict.fromkeys(
    ("MONDO", "OMIM", "ORPHA", "DECIPHER"), Kind.DISEASE
)
_ENDS_OF = {  # what the ends of a relation are where a row does not say
    Relation.HAS_PHENOTYPE: (Kind.DISEASE, Kind.PHENOTYPE),
    Relation.ASSOCIATED_GENE: (Kind.DISEASE, Kind.GENE),
    Relation.INHERITED_AS: (Kind.DISEASE, Kind.INHERITANCE),
    Relation.HAS_ONSET: (Kind.DISEASE, Kind.ONSET),
    Relation.HAS_COURSE: (Kind.DISEASE, Kind.COURSE),
    Relation.INDICATED_FOR: (Kind.DRUG, Kind.DISEASE),
    Relation.CONTRAINDICATED_IN: (Kind.DRUG, Kind.DISEASE),
    Relation.OFF_LABEL_FOR: (Kind.DRUG, Kind.DISEASE),
}


def read_triples(path: Path) -> SourceRecords:
    """All good rows of a ``.tsv`` or ``.jsonl`` file.

    Raises:
        ValueError: no such file, or the header lacks a column.
    """
    found = Collector(path.stem, origin=path.name, licence="not stated")
    rows = _Rows(found)
    read = _jsonl if path.suffix == ".jsonl" else _tsv
    for line, row in read(path, found.records):
        try:
            rows.add(row)
        except ValueError as error:
            found.records.problem(path, line, error)
    rows.finish()
    return found.records


def _tsv(path: Path, records: SourceRecords) -> Iterator[tuple[int, dict[str, str]]]:
    return delimited_rows(
        path, records, required=REQUIRED, delimiter="\t", quoting=csv.QUOTE_NONE, known=COLUMNS
    )


def _jsonl(path: Path, records: SourceRecords) -> Iterator[tuple[int, dict[str, str]]]:
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line, type=dict[str, str | int | list[str] | None])
            except msgspec.DecodeError as error:
                records.problem(path, number, error)
                continue
            yield (
                number,
                {
                    name: "|".join(value) if isinstance(value, list) else str(value)
                    for name, value in row.items()
                    if value is not None
                },
            )


class _Rows:
    """Edges as they come; entities at the end, when all that is said of them is known."""

    def __init__(self, found: Collector) -> None:
        self._found = found
        self._said: dict[str, dict[str, str]] = {}
        self._kinds: dict[str, Kind] = {}
        self._in_words: set[str] = set()  # entities whose kind a row states
        self._hierarchy: list[tuple[str, str]] = []

    def add(self, row: dict[str, str]) -> None:
        """One row. Raises ValueError saying what is wrong with it."""
        unknown = sorted(set(row) - set(COLUMNS))
        if unknown:
            raise ValueError(f"unknown field {', '.join(unknown)}; known are {', '.join(COLUMNS)}")
        source, target = (require(row.get(name), name) for name in ("source", "target"))
        relation, qualifier = _relation(require(row.get("relation"), "relation"), row)
        fields = {name: row[name] for name in TEXTS if row.get(name)}
        fields["qualifier"] = qualifier
        if "date" in fields:
            iso_date(fields["date"])
        polarity = row.get("polarity") or Polarity.POSITIVE
        if polarity not in tuple(Polarity):
            raise ValueError(f"polarity {polarity!r} is neither positive nor excluded")
        references = tuple(part for part in row.get("references", "").split("|") if part)
        counts = _counts(row, relation)
        ends = {"source": source, "target": target}
        kinds = {end: _stated_kind(end, one, relation, row) for end, one in ends.items()}
        for end, one in ends.items():
            known = self._kinds.get(one)
            if one in self._in_words and not row.get(f"{end}_kind"):
                kinds[end] = known  # an earlier row's words count more than the relation
            if known and kinds[end] and known is not kinds[end]:
                raise ValueError(f"{one} is a {kinds[end]} here and a {known} in an earlier row")
        for end, one in ends.items():
            if kinds[end]:
                self._kinds[one] = kinds[end]
            if row.get(f"{end}_kind"):
                self._in_words.add(one)
            said = self._said.setdefault(one, {})
            for part in ("name", "definition", "synonyms"):
                if row.get(f"{end}_{part}"):
                    said.setdefault(part, row[f"{end}_{part}"])
        if relation is Relation.IS_A:
            self._hierarchy.append((source, target))
        self._found.edge(
            source, relation, target, polarity=Polarity(polarity), references=references,
            **fields, **counts,
        )  # fmt: skip

    def finish(self) -> None:
        """Adds the entities; one without a name is called by its id's last part.

        Where no row says what an entity is, it is what the ends of its ``is_a`` edges are, else
        what its identifier's prefix says, else a concept.
        """
        found = True
        while found:
            found = False
            for pair in self._hierarchy:
                for one, other in (pair, pair[::-1]):
                    if one in self._kinds and other not in self._kinds:
                        self._kinds[other] = self._kinds[one]
                        found = True
        for entity_id, said in self._said.items():
            self._found.entity(
                entity_id,
                self._kinds.get(entity_id) or _prefix_kind(entity_id) or Kind.CONCEPT,
                said.get("name") or entity_id.rpartition(":")[2],
                definition=said.get("definition", ""),
                synonyms=tuple(filter(None, said.get("synonyms", "").split("|"))),
            )


def _stated_kind(end: str, entity_id: str, relation: Relation, row: dict[str, str]) -> Kind | None:
    """What the row says an end is: in words, or by the relation."""
    stated = row.get(f"{end}_kind", "")
    if stated:
        if stated not in tuple(Kind):
            raise ValueError(f"{end}_kind {stated!r} is none of {', '.join(Kind)}")
        return Kind(stated)
    if relation in _ENDS_OF:
        return _ENDS_OF[relation][end == "target"]
    return None


def _prefix_kind(entity_id: str) -> Kind | None:
    return _PREFIX_KINDS.get(entity_id.partition(":")[0])


def _relation(name: str, row: dict[str, str]) -> tuple[Relation, str]:
    """The relation and the edge's qualifier, which begins with a name that is not known."""
    qualifier = row.get("qualifier", "")
    if name in tuple(Relation):
        return Relation(name), qualifier
    return Relation.RELATED_TO, "; ".join(filter(None, (generic_qualifier(name), qualifier)))


def _counts(row: dict[str, str], relation: Relation) -> dict[str, int]:
    counts = {}
    for name in COUNTS:
        if row.get(name):
            if not row[name].isdecimal():
                raise ValueError(f"{name} {row[name]!r} is no whole number")
            counts[name] = int(row[name])
    if counts.get("num_affected", 0) > counts.get("num_observed", 1 << 31):
        raise ValueError(f"num_affected {row['num_affected']} exceeds {row['num_observed']}")
    nobody = counts.get("num_affected") == 0 and relation is not Relation.MENTIONED_IN
    if nobody and row.get("polarity") != Polarity.EXCLUDED:
        raise ValueError("num_affected 0 needs polarity excluded: nobody had it")
    return counts
