from medr_jax.trajectories import shared
from medr_jax.types import (
    Chain,
    Clue,
    Hit,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    ToolCall,
    ToolResult,
    Trajectory,
    Turn,
)


def row(disease_id, clue_ids, shown, gene_id="GENE:A"):
    clues = tuple(
        Clue(relation=Relation.HAS_PHENOTYPE, entity_id=one, text=one) for one in clue_ids
    )
    hop = Hop(relation=Relation.ASSOCIATED_GENE, source_id=disease_id, target_id=gene_id)
    question = Question(
        question_id=disease_id,
        text="?",
        chain=Chain(clues=clues, hops=(hop,), seed_id=disease_id),
        num_hops=2,
        answer=gene_id,
        answer_id=gene_id,
        answer_kind=Kind.GENE,
    )
    hits = tuple(Hit(doc_id=doc_id, title=doc_id) for doc_id in shown)
    call = ToolCall(name="search", arguments={"query": "x"})
    turn = Turn(calls=(call,), results=(ToolResult(status=Status.OK, hits=hits),))
    return Trajectory(trajectory_id=disease_id, question=question, turns=(turn,), status=Status.OK)


def kind_of(entity_id):
    return {"D": Kind.DISEASE, "G": Kind.GENE, "H": Kind.PHENOTYPE}[entity_id[0]]


def test_counts():
    rows = {
        "train": [row("D1", ["H1", "H2"], ["D1", "D7"], "G1"), row("D2", ["H3"], ["D2"], "G9")],
        "dev": [row("D3", ["H2", "H4"], ["D3", "D7", "D1"], "G3")],
        "test": [row("D4", ["H3"], ["D4"], "G4"), row("D5", ["H9"], ["D5"], "G9")],
    }
    held_out = {"D3", "D4", "D5", "D6", "G3", "G4"}
    counts = shared.count(rows, held_out=held_out, named={"G4", "D6"}, kind_of=kind_of)
    assert counts == {
        "held_out_diseases_and_genes": 6,
        "of_them_named_in_training_text": 2,
        "held_out_questions": 3,
        "of_them_with_a_disease_or_gene_named_in_training_text": 1,  # D4's gene
        "chain_diseases_and_genes_in_both": 1,  # G9: a leak would be seen here
        "clue_phenotypes_in_both": 2,
        "documents_shown_in_both": 2,
    }


def test_no_held_out_questions_at_all():
    counts = shared.count({"train": []}, held_out=(), named=(), kind_of=kind_of)
    assert set(counts.values()) == {0}
