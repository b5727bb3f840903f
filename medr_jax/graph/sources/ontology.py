"""Any OBO ontology as entities and ``is_a`` edges."""

import collections
import re
from pathlib import Path

from medr_jax.graph.sources.base import SourceRecords
from medr_jax.graph.sources.obo import read_obo
from medr_jax.types import Edge, Entity, Kind, Relation

KINDS = {
    "HP": Kind.PHENOTYPE,
    "MP": Kind.PHENOTYPE,
    "MONDO": Kind.DISEASE,
    "DOID": Kind.DISEASE,
    "ORDO": Kind.DISEASE,
    "GO": Kind.PROCESS,
    "UBERON": Kind.ANATOMY,
    "CHEBI": Kind.DRUG,
    "ECTO": Kind.EXPOSURE,
}
"""Identifier prefix -> what such terms are; all others are concepts."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_ontology(path: Path) -> SourceRecords:
    """Live terms with EXACT synonyms, definitions, cross-references and parents.

    The licence is named after the ontology's prefix: its terms are the publisher's.

    Raises:
        ValueError: no such file, or a malformed line; the message says file:line.
    """
    ontology = read_obo(path)
    terms = ontology.live()
    prefixes = collections.Counter(term_id.partition(":")[0] for term_id in terms)
    name = prefixes.most_common(1)[0][0] if prefixes else path.stem
    date = _DATE.search(ontology.version)
    snapshot = f"{name} {date[0]}" if date else name
    records = SourceRecords(snapshot=snapshot, entities=[], edges=[])
    for term_id, term in sorted(terms.items()):
        exact = [synonym.text for synonym in term.synonyms if synonym.scope == "EXACT"]
        records.related_names += [
            (term_id, synonym.text) for synonym in term.synonyms if synonym.scope != "EXACT"
        ]
        records.entities.append(
            Entity(
                id=term_id,
                kind=KINDS.get(term_id.partition(":")[0], Kind.CONCEPT),
                name=term.name or term_id,
                synonyms=tuple(exact),
                definition=term.definition,
                xrefs=tuple(sorted(set(term.xrefs))),
            )
        )
        records.alternative_ids.update(dict.fromkeys(term.alternative_ids, term_id))
        for parent in term.parents:
            if parent in terms:
                records.edges.append(
                    Edge(
                        source=term_id,
                        relation=Relation.IS_A,
                        target=parent,
                        origin=f"{path.name} {date[0] if date else ''}".strip(),
                        licence=name,
                    )
                )
            else:
                records.counts["left_out_parents"] = records.counts.get("left_out_parents", 0) + 1
    for term in ontology.terms.values():
        if term.obsolete and len(term.replaced_by) == 1 and term.replaced_by[0] in terms:
            records.alternative_ids[term.id] = term.replaced_by[0]
    return records
