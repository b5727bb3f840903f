"""What training and held-out splits have in common although their families are apart."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from medr_jax.grading import match
from medr_jax.types import Kind, Trajectory

TRAIN = "train"


def count(
    rows: Mapping[str, Sequence[Trajectory]],
    *,
    held_out: Collection[str],
    named: Collection[str],
    kind_of: Callable[[str], Kind],
) -> dict[str, int]:
    """Counts for the card.

    ``held_out`` are the diseases and genes of all other splits than train, ``named`` those of
    them that some training text names.
    """
    training = rows[TRAIN]
    testing = [row for split, part in rows.items() if split != TRAIN for row in part]
    trained = {entity_id for row in training for entity_id in _closed_ids(row, kind_of)}
    tested = [frozenset(_closed_ids(row, kind_of)) for row in testing]
    crossing = trained & frozenset().union(*tested)
    return {
        "held_out_diseases_and_genes": len(held_out),
        "of_them_named_in_training_text": len(named),
        "held_out_questions": len(testing),
        "of_them_with_a_disease_or_gene_named_in_training_text": sum(
            not ids.isdisjoint(named) for ids in tested
        ),
        "chain_diseases_and_genes_in_both": len(crossing),
        "clue_phenotypes_in_both": len(_clues(training) & _clues(testing)),
        "documents_shown_in_both": len(_shown(training) & _shown(testing)),
    }


def _closed_ids(row: Trajectory, kind_of: Callable[[str], Kind]) -> Iterable[str]:
    """Diseases and genes of the chain: what may not cross between splits."""
    for entity_id in match.entity_ids(row.question.chain, row.question.answer_id):
        if kind_of(entity_id) in (Kind.DISEASE, Kind.GENE):
            yield entity_id


def _clues(rows: Iterable[Trajectory]) -> set[str]:
    return {clue.entity_id for row in rows for clue in row.question.chain.clues}


def _shown(rows: Iterable[Trajectory]) -> set[str]:
    return {
        hit.doc_id
        for row in rows
        for turn in row.turns
        for result in turn.results
        for hit in result.hits
    }
