"""Reader of PrimeKG: ``kg.csv``, or ``nodes`` and ``edges`` (csv or tab).

Every edge of the file stands in both directions; it is kept once, in the direction of its
meaning (drug -> disease). A hierarchy's direction is lost in the file: those edges are
``PARENT_OR_CHILD``. Chandak P, Huang K, Zitnik M. *Building a knowledge graph to enable
precision medicine.* Scientific Data 10, 67 (2023).
"""

import csv
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medr_jax.graph.columns import POLARITY_CODE, RELATION_CODE, EdgeBlock
from medr_jax.graph.sources.base import SourceRecords, one_line, open_text
from medr_jax.graph.sources.unknown import generic_qualifier
from medr_jax.types import Entity, Kind, Polarity, Relation

SNAPSHOT = "PrimeKG"
KINDS = {
    "gene/protein": Kind.GENE,
    "drug": Kind.DRUG,
    "effect/phenotype": Kind.PHENOTYPE,
    "disease": Kind.DISEASE,
    "biological_process": Kind.PROCESS,
    "molecular_function": Kind.PROCESS,
    "cellular_component": Kind.PROCESS,
    "exposure": Kind.EXPOSURE,
    "pathway": Kind.PATHWAY,
    "anatomy": Kind.ANATOMY,
}
_GENE, _DRUG, _PHENOTYPE, _DISEASE = "gene/protein", "drug", "effect/phenotype", "disease"


class Meaning(NamedTuple):
    """How rows of one relation are read; the edge leads from ``source`` to the other type."""

    relation: Relation
    source: str  # node type, "" = both ends are of one type
    licence: str  # of the database that the relation comes from (paper, table 1)
    polarity: Polarity = Polarity.POSITIVE


MEANINGS = {
    "indication": Meaning(Relation.INDICATED_FOR, _DRUG, "DrugCentral CC-BY-SA-4.0"),
    "contraindication": Meaning(Relation.CONTRAINDICATED_IN, _DRUG, "DrugCentral CC-BY-SA-4.0"),
    "off-label use": Meaning(Relation.OFF_LABEL_FOR, _DRUG, "DrugCentral CC-BY-SA-4.0"),
    "drug_drug": Meaning(Relation.SYNERGISTIC_WITH, "", "DrugBank CC-BY-NC-4.0"),
    "drug_effect": Meaning(Relation.SIDE_EFFECT, _DRUG, "SIDER CC-BY-NC-SA-4.0"),
    "target": Meaning(Relation.DRUG_TARGET, _DRUG, "DrugBank CC-BY-NC-4.0"),
    "enzyme": Meaning(Relation.DRUG_ENZYME, _DRUG, "DrugBank CC-BY-NC-4.0"),
    "carrier": Meaning(Relation.DRUG_CARRIER, _DRUG, "DrugBank CC-BY-NC-4.0"),
    "transporter": Meaning(Relation.DRUG_TRANSPORTER, _DRUG, "DrugBank CC-BY-NC-4.0"),
    "disease_phenotype_positive": Meaning(Relation.HAS_PHENOTYPE, _DISEASE, "HPO"),
    "disease_phenotype_negative": Meaning(
        Relation.HAS_PHENOTYPE, _DISEASE, "HPO", Polarity.EXCLUDED
    ),
    "disease_protein": Meaning(Relation.ASSOCIATED_GENE, _DISEASE, "DisGeNET CC-BY-NC-SA-4.0"),
    "phenotype_protein": Meaning(Relation.PHENOTYPE_GENE, _PHENOTYPE, "DisGeNET CC-BY-NC-SA-4.0"),
    "protein_protein": Meaning(Relation.PROTEIN_INTERACTION, "", "human interactome"),
    "bioprocess_protein": Meaning(Relation.PARTICIPATES_IN, _GENE, "GO CC-BY-4.0"),
    "molfunc_protein": Meaning(Relation.PARTICIPATES_IN, _GENE, "GO CC-BY-4.0"),
    "cellcomp_protein": Meaning(Relation.PARTICIPATES_IN, _GENE, "GO CC-BY-4.0"),
    "pathway_protein": Meaning(Relation.PARTICIPATES_IN, _GENE, "Reactome"),
    "anatomy_protein_present": Meaning(Relation.EXPRESSED_IN, _GENE, "Bgee CC0-1.0"),
    "anatomy_protein_absent": Meaning(
        Relation.EXPRESSED_IN, _GENE, "Bgee CC0-1.0", Polarity.EXCLUDED
    ),
    "exposure_disease": Meaning(Relation.LINKED_TO_EXPOSURE, _DISEASE, "CTD"),
    "exposure_protein": Meaning(Relation.LINKED_TO_EXPOSURE, _GENE, "CTD"),
    "exposure_bioprocess": Meaning(Relation.LINKED_TO_EXPOSURE, "biological_process", "CTD"),
    "exposure_molfunc": Meaning(Relation.LINKED_TO_EXPOSURE, "molecular_function", "CTD"),
    "exposure_cellcomp": Meaning(Relation.LINKED_TO_EXPOSURE, "cellular_component", "CTD"),
    "exposure_exposure": Meaning(Relation.PARENT_OR_CHILD, "", "CTD"),
    "disease_disease": Meaning(Relation.PARENT_OR_CHILD, "", "MONDO CC-BY-4.0"),
    "phenotype_phenotype": Meaning(Relation.PARENT_OR_CHILD, "", "HPO"),
    "bioprocess_bioprocess": Meaning(Relation.PARENT_OR_CHILD, "", "GO CC-BY-4.0"),
    "molfunc_molfunc": Meaning(Relation.PARENT_OR_CHILD, "", "GO CC-BY-4.0"),
    "cellcomp_cellcomp": Meaning(Relation.PARENT_OR_CHILD, "", "GO CC-BY-4.0"),
    "pathway_pathway": Meaning(Relation.PARENT_OR_CHILD, "", "Reactome"),
    "anatomy_anatomy": Meaning(Relation.PARENT_OR_CHILD, "", "UBERON CC-BY-3.0"),
}
"""``relation`` of the file (of drug_protein: ``display_relation``) -> what it means."""

_NODE = ("index", "id", "type", "name", "source")
_KG = ("relation", "display_relation", *(f"{end}_{part}" for end in "xy" for part in _NODE))
_EDGES = ("relation", "display_relation", "x_index", "y_index")
_NUMBERED = {"HPO": "HP", "MONDO": "MONDO", "GO": "GO", "UBERON": "UBERON"}  # 7 digits


def read_primekg(path: Path) -> SourceRecords:
    """All edges of ``kg.csv`` (the file or its folder), else of nodes and edges in a folder.

    Raises:
        ValueError: neither is there, or a header lacks a column.
    """
    found = _file(path, "kg") if path.is_dir() else path
    reader = _Reader()
    if found is not None:
        rows = _rows(found, _KG, reader.records)
        for line, (relation, shown, *ends) in rows:
            reader.add(found, line, relation, shown, ends[:5], ends[5:])
    else:
        nodes, edges = _file(path, "nodes"), _file(path, "edges")
        if nodes is None or edges is None:
            raise ValueError(f"{path}: holds neither kg.csv nor nodes and edges (.csv or .tab)")
        by_index = {}
        for _, row in _rows(nodes, tuple(f"node_{part}" for part in _NODE), reader.records):
            by_index[row[0]] = row
        for line, (relation, shown, x, y) in _rows(edges, _EDGES, reader.records):
            if x in by_index and y in by_index:
                reader.add(edges, line, relation, shown, by_index[x], by_index[y])
            else:
                reader.records.problem(edges, line, f"no node {x if x not in by_index else y!r}")
    return reader.finish()


def _file(folder: Path, stem: str) -> Path | None:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such file or folder")
    candidates = (folder / f"{stem}{suffix}" for suffix in (".csv", ".tab", ".tsv"))
    return next((file for file in candidates if file.is_file()), None)


def _rows(
    path: Path, wanted: tuple[str, ...], records: SourceRecords
) -> Iterator[tuple[int, list[str]]]:
    """(line, the wanted cells). The hot loop: a file has eight million rows."""
    with open_text(path) as lines:
        reader = csv.reader(lines, delimiter="," if path.suffix == ".csv" else "\t")
        header = next(reader, [])
        missing = [name for name in wanted if name not in header]
        if missing:
            raise ValueError(f"{path}:1: no column {', '.join(missing)}; found {header}")
        where = [header.index(name) for name in wanted]
        in_order = where == list(range(len(header)))
        for row in reader:
            if len(row) != len(header):
                if row:
                    message = f"{len(row)} columns instead of {len(header)}"
                    records.problem(path, reader.line_num, message)
                continue
            yield reader.line_num, row if in_order else [row[i] for i in where]


class _Reader:
    """Entities by their index in the file, and edges as growing arrays."""

    def __init__(self) -> None:
        self.records = SourceRecords(snapshot=SNAPSHOT, entities=[], edges=[])
        self._ids: list[str] = []
        self._position: dict[str, int] = {}  # by the file's index
        self._known: set[str] = set()
        self._licences: dict[str, int] = {}
        self._qualifiers: dict[str, int] = {}
        self._read: dict[tuple[str, str, str, str], tuple[int, ...] | str] = {}
        self._columns = {name: array("i") for name in ("source", "target")}
        self._codes = {name: array("b") for name in ("relation", "polarity", "licence")}
        self._qualifier = array("h")

    def add(
        self, path: Path, line: int, relation: str, shown: str, x: list[str], y: list[str]
    ) -> None:
        """One row; a bad one is noted."""
        key = (relation, shown, x[2], y[2])
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = self._meaning(*key)
        if isinstance(known, str):
            self.records.problem(path, line, known)
            return
        code, polarity, licence, qualifier, swapped = known
        try:
            one, other = self._entity(x), self._entity(y)
        except ValueError as error:
            self.records.problem(path, line, error)
            return
        if swapped == 1 or (swapped == 2 and self._ids[one] > self._ids[other]):
            one, other = other, one
        self._columns["source"].append(one)
        self._columns["target"].append(other)
        self._codes["relation"].append(code)
        self._codes["polarity"].append(polarity)
        self._codes["licence"].append(licence)
        self._qualifier.append(qualifier)

    def _meaning(
        self, relation: str, shown: str, x_type: str, y_type: str
    ) -> tuple[int, ...] | str:
        """Codes and direction (0 as it stands, 1 swapped, 2 undirected), or what is wrong."""
        for kind in (x_type, y_type):
            if kind not in KINDS:
                return f"node type {kind!r} is none of {', '.join(KINDS)}"
        meaning = MEANINGS.get(shown if relation == "drug_protein" else relation)
        qualifier = ""
        if meaning is None:
            try:
                qualifier = generic_qualifier(shown or relation)
            except ValueError as error:
                return str(error)
            meaning = Meaning(Relation.RELATED_TO, "", "")
        if not meaning.source:
            direction = 2
        elif meaning.source in (x_type, y_type):
            direction = int(x_type != meaning.source)
        else:
            return f"relation {relation!r} between {x_type} and {y_type}: one end must be a " + (
                meaning.source
            )
        licence = "; ".join(filter(None, (SNAPSHOT, meaning.licence)))
        return (
            RELATION_CODE[meaning.relation],
            POLARITY_CODE[meaning.polarity],
            self._licences.setdefault(licence, len(self._licences)),
            self._qualifiers.setdefault(qualifier, len(self._qualifiers)),
            direction,
        )

    def _entity(self, node: list[str]) -> int:
        index = node[0]
        found = self._position.get(index)
        if found is None:
            entity = _entity(*node[1:])
            found = self._position[index] = len(self._ids)
            self._ids.append(entity.id)
            if entity.id not in self._known:
                self._known.add(entity.id)
                self.records.entities.append(entity)
        return found

    def finish(self) -> SourceRecords:
        """The records with one block of edges."""
        number = len(self._qualifier)
        if not number:
            raise ValueError("PrimeKG: no readable edge; see python -m experiments.validate_data")
        self.records.blocks.append(
            EdgeBlock(
                ids=self._ids,
                sources=np.frombuffer(self._columns["source"], dtype=np.int32),
                relations=np.frombuffer(self._codes["relation"], dtype=np.int8),
                targets=np.frombuffer(self._columns["target"], dtype=np.int32),
                polarities=np.frombuffer(self._codes["polarity"], dtype=np.int8),
                texts={
                    "licence": (
                        list(self._licences),
                        np.frombuffer(self._codes["licence"], dtype=np.int8),
                    ),
                    "qualifier": (
                        list(self._qualifiers),
                        np.frombuffer(self._qualifier, dtype=np.int16),
                    ),
                    "origin": ([SNAPSHOT], np.broadcast_to(np.int8(0), number)),
                },
            )
        )
        return self.records


def _entity(node_id: str, node_type: str, name: str, source: str) -> Entity:
    kind = KINDS[node_type]
    name = one_line(name)
    if not name or not node_id:
        raise ValueError(f"a {node_type} node has no {'name' if node_id else 'id'}")
    if kind is Kind.GENE:
        return Entity(id=f"GENE:{name}", kind=kind, name=name, xrefs=(f"NCBIGene:{node_id}",))
    node_id = node_id.removesuffix(".0")
    if source in _NUMBERED and node_id.isdecimal():
        entity_id = f"{_NUMBERED[source]}:{int(node_id):07d}"
    else:
        entity_id = f"{source.upper() if source == 'DrugBank' else source}:{node_id}"
    return Entity(id=entity_id, kind=kind, name=name)
