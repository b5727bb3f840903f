"""The findings of a patient, each lineage of the ontology once."""

import itertools
from collections.abc import Iterable

from medr_jax.diagnosis.ontology import Ontology
from medr_jax.types import Record


class Findings(Record):
    """Terms, as numbers of the ontology, in order of id. ``implied``: left out, and by what."""

    present: tuple[int, ...]
    absent: tuple[int, ...]
    implied: tuple[tuple[str, str], ...] = ()


def read_findings(
    ontology: Ontology, present: Iterable[str], absent: Iterable[str] = ()
) -> Findings:
    """Term ids to findings that do not imply each other.

    Whoever has a term has all terms above it, so of present terms the narrowest count. Whoever
    lacks a term lacks all terms below it, so of absent ones the broadest count.

    Raises:
        ValueError: an id that is no phenotype, no finding at all, or a term that is absent
            while it, or one below it, is present.
    """
    here = sorted({ontology.number(term_id) for term_id in present})
    gone = sorted({ontology.number(term_id) for term_id in absent})
    if not here and not gone:
        raise ValueError("findings: none given; name at least one, such as HP:0001166")
    names = ontology.term_ids
    above = {term: set(ontology.ancestors.of(term).tolist()) for term in (*here, *gone)}
    for lower in here:
        for upper in gone:
            if upper in above[lower]:
                raise ValueError(
                    f"{names[upper]} is given as absent, but {names[lower]}, which is a case of "
                    "it, as present; leave one out"
                )
    implied: dict[int, int] = {}
    for upper, lower in itertools.permutations(here, 2):
        if upper in above[lower]:
            implied.setdefault(upper, lower)
    for lower, upper in itertools.permutations(gone, 2):
        if upper in above[lower]:
            implied.setdefault(lower, upper)
    return Findings(
        present=tuple(term for term in here if term not in implied),
        absent=tuple(term for term in gone if term not in implied),
        implied=tuple((names[term], names[by]) for term, by in sorted(implied.items())),
    )
