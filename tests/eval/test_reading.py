import pytest

from medr_jax.eval.reading import Move, Target, read_question

SOURCE = "According to the HPO annotations of 2025-01-16, "


@pytest.mark.parametrize(
    ("text", "start", "clues", "moves"),
    [
        (
            'which is the only disease annotated with "Tall stature" and "Ectopia lentis"?',
            Target.DISEASE,
            ("Tall stature", "Ectopia lentis"),
            [],
        ),
        (  # nested: the start stands last
            "which other disease is associated with the only gene associated with the disease "
            'annotated with "Tall stature"?',
            Target.DISEASE,
            ("Tall stature",),
            [Move(target=Target.GENE), Move(target=Target.DISEASE, is_other=True)],
        ),
        (  # steps: the start stands first, a definition among the clues is no step
            'exactly one disease is annotated with "A" and a phenotype described as "gene loss". '
            "That disease is associated with exactly one gene. "
            'What is the only phenotype under "Abnormality of the eye" annotated for that gene?',
            Target.DISEASE,
            ("A", "gene loss"),
            [
                Move(target=Target.GENE),
                Move(target=Target.PHENOTYPE, branch="Abnormality of the eye"),
            ],
        ),
        (  # walk
            'start from the disease annotated with "A" and go to the gene associated with that '
            "disease, then to the only other disease associated with that gene. What is the "
            "annotated mode of inheritance of that second disease?",
            Target.DISEASE,
            ("A",),
            [
                Move(target=Target.GENE),
                Move(target=Target.DISEASE, is_other=True),
                Move(target=Target.INHERITANCE),
            ],
        ),
        (
            'which phenotype is the parent term of the phenotype described as "a deviation"?',
            Target.PHENOTYPE,
            ("a deviation",),
            [Move(target=Target.PARENT)],
        ),
    ],
)
def test_reads_start_clues_and_moves(text, start, clues, moves):
    reading = read_question(SOURCE + text)
    assert (reading.start, reading.clues, list(reading.moves)) == (start, clues, moves)


def test_a_named_gene_is_the_start():
    reading = read_question(SOURCE + "what is the only disease associated with the gene C9orf72?")
    assert (reading.gene, reading.start) == ("C9orf72", Target.GENE)
    assert [move.target for move in reading.moves] == [Target.DISEASE]


def test_nothing_recognised_is_none():
    assert read_question("Who discovered it?") is None
    assert read_question("") is None
