import random

from medr_jax.eval import contamination
from medr_jax.grading import match


def test_names_are_found_bounded_by_words():
    texts = ["Patients with MARFAN-syndrome.", "FGFR21 and Usher syndrome type 11"]
    names = ["Marfan syndrome", "FGFR2", "Usher syndrome type 1", "Usher syndrome", "syndrome type"]
    assert contamination.seen_names(texts, names) == {
        "Marfan syndrome",
        "Usher syndrome",
        "syndrome type",
    }


def test_names_do_not_span_texts():
    assert contamination.seen_names(["Marfan", "syndrome"], ["Marfan syndrome"]) == set()


def test_agrees_with_searching_for_every_name():
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abc", k=rng.randint(1, 12))) for _ in range(60)]
    names = [" ".join(rng.choices("abc", k=rng.randint(1, 6))) for _ in range(200)]
    expected = {name for name in names if any(match.mentions(text, [name]) for text in texts)}
    assert 0 < len(expected) < len(set(names))
    assert contamination.seen_names(texts, names) == expected


def test_training_texts_hold_distractors_and_queries(world):
    rollout = world.trajectory(
        world.search("tall stature", "D3", thought="look it up"), world.answer("FBN1")
    )
    texts = list(contamination.training_texts([rollout, rollout]))
    assert "Loeys-Dietz syndrome" in texts  # a distractor's title
    assert {"tall stature", "look it up", "FBN1", "Which other disease?"} <= set(texts)
    assert len(texts) == len(set(texts))


def unseen(world, texts, *questions):
    return contamination.unseen_questions(
        questions, texts, names=world.names, kind_of=world.kind_of
    )


def test_any_name_of_a_chain_disease_or_gene_counts(world):
    asked = world.question()
    assert unseen(world, ["something else, tall stature"], asked) == ({"q1"}, {"q1"})
    assert unseen(world, ["a case of MFS1"], asked) == (set(), set())  # a synonym
    assert unseen(world, ["stiff skin syndrome"], asked) == (set(), set())  # the answer


def test_phenotype_answers_leave_the_entities_unseen(world):
    import msgspec

    asked = msgspec.structs.replace(
        world.question(num_hops=1), answer="Tall stature", answer_id="HP:1"
    )
    hop = world.question(num_hops=2).chain.hops[0]
    hop = msgspec.structs.replace(hop, target_id="HP:1")
    chain = msgspec.structs.replace(asked.chain, hops=(hop,))
    asked = msgspec.structs.replace(asked, chain=chain)
    assert unseen(world, ["tall stature"], asked) == (set(), {"q1"})
