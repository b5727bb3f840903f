import pytest

from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.select import Cell, Pool, allocate, select
from medr_jax.types import OPEN_KINDS, Chain, Clue, Hop, Kind, Question, Relation


def question(number, *, hops=1, kind=Kind.DISEASE, seed="", answer="", forms="", start="clues"):
    relation = Relation.IS_A if start == "definition" else Relation.HAS_PHENOTYPE
    clues = () if start == "gene" else (Clue(relation=relation, entity_id="HP:1", text="x"),)
    steps = tuple(
        Hop(relation=Relation.IS_A, source_id=f"{seed or number}", target_id=f"{i}{forms}")
        for i in range(hops - 1)
    )
    return Question(
        question_id=f"q{number:05d}",
        text="",
        chain=Chain(clues=clues, hops=steps, seed_id=seed or f"S{number}"),
        num_hops=hops,
        answer="",
        answer_id=answer or f"A{number}",
        answer_kind=kind,
        proof={"forms": forms},
    )


@pytest.mark.parametrize(
    ("total", "weights", "supply", "expected"),
    [
        (10, {"a": 1, "b": 1}, {"a": 99, "b": 99}, {"a": 5, "b": 5}),
        (10, {"a": 1, "b": 1}, {"a": 2, "b": 99}, {"a": 2, "b": 8}),
        (10, {"a": 1, "b": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        (3, {"a": 1, "b": 1}, {"a": 9, "b": 9}, {"a": 2, "b": 1}),
        (4, {"a": 3, "b": 1, "c": 0}, {"a": 9, "b": 9, "c": 9}, {"a": 3, "b": 1, "c": 0}),
        (9, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 3, "c": 99}, {"a": 1, "b": 3, "c": 5}),
        (5, {}, {}, {}),
    ],
)
def test_allocate(total, weights, supply, expected):
    assert allocate(total, weights, supply) == expected


def chosen(questions, split="train", **settings):
    config = QuestionConfig(**settings)
    rank = {one.chain.seed_id: i for i, one in enumerate(questions)}
    return select(questions, config, split, rank)


def test_hops_get_their_weights_and_open_answers_their_share():
    pool = [
        question(number, hops=1 + number % 2, kind=kind)
        for number, kind in enumerate([Kind.DISEASE, Kind.DISEASE, Kind.ONSET, Kind.ONSET] * 50)
    ]
    found = chosen(pool, num_train=80, hop_weights=[3.0, 1.0], open_answer_share=0.75)
    for hops, wanted in ((1, 60), (2, 20)):
        kinds = [one.answer_kind in OPEN_KINDS for one in found if one.num_hops == hops]
        assert len(kinds) == wanted
        assert sum(kinds) == 0.75 * wanted


def test_closed_answers_never_make_up_for_missing_open_ones():
    pool = [question(i, kind=Kind.ONSET) for i in range(100)]
    pool += [question(100 + i, kind=Kind.GENE) for i in range(30)]
    found = chosen(pool, num_train=80, hop_weights=[1.0], open_answer_share=0.75)
    # 30 open ones allow 10 closed ones; filling up would give 80 with 62% closed
    assert len(found) == 40


def test_closed_answers_are_even_over_values():
    values = ["AR"] * 90 + ["AD"] * 8 + ["XL"] * 2
    pool = [question(i, kind=Kind.INHERITANCE, answer=value) for i, value in enumerate(values)]
    found = chosen(pool, num_train=12, hop_weights=[1.0], open_answer_share=0.0)
    counts = {value: sum(one.answer_id == value for one in found) for value in ("AR", "AD", "XL")}
    assert counts == {"AR": 5, "AD": 5, "XL": 2}  # in proportion it would be 11, 1, 0


def test_preferred_seeds_come_first_and_every_seed_once_before_any_twice():
    pool = [question(i, seed=f"S{i // 3}", kind=Kind.GENE) for i in range(12)]
    found = chosen(pool, num_train=3, hop_weights=[1.0], open_answer_share=1.0)
    assert [one.chain.seed_id for one in found] == ["S0", "S1", "S2"]


def test_only_training_repeats_a_chain_for_the_sake_of_balance():
    pool = [question(i, seed="S", forms="rare", kind=Kind.GENE) for i in range(10)]
    pool += [question(100 + i, forms="common", kind=Kind.GENE) for i in range(20)]
    settings = {"hop_weights": [1.0], "open_answer_share": 1.0}

    def rare(split):
        found = chosen(pool, split, **{f"num_{split}": 10}, **settings)
        return sum(one.proof["forms"] == "rare" for one in found)

    assert rare("train") == 5
    assert rare("test") == 1


def test_starts_get_their_weights():
    pool = [question(i, start="clues") for i in range(50)]
    pool += [question(100 + i, start="gene") for i in range(50)]
    pool += [question(200 + i, start="definition") for i in range(50)]
    weights = {"clues": 3.0, "gene": 1.0}
    found = chosen(pool, num_train=40, hop_weights=[1.0], start_weights=weights)
    starts = [question.chain.clues != () for question in found]
    assert (len(found), sum(starts)) == (40, 30)
    assert all(one.question_id < "q00200" for one in found)


def test_a_pool_closes_what_it_has_enough_of():
    config = QuestionConfig(
        num_train=10, hop_weights=[1.0, 1.0], open_answer_share=1.0, start_weights={"clues": 1.0}
    )
    pool = Pool(config, "train")
    one, two = Cell(1, True, "clues"), Cell(2, True, "clues")
    pool.add(question(i, hops=1) for i in range(10))
    assert one not in pool.closed  # only between batches
    pool.end_batch()
    assert one in pool.closed and two not in pool.closed and not pool.is_full
    pool.add([question(50, hops=1), question(51, hops=2)])
    assert [found.question_id for found in pool.questions[10:]] == ["q00051"]
    # the same chain with other clues does not count as another
    pool.add(question(60 + i, hops=2, seed="S") for i in range(20))
    pool.end_batch()
    assert two not in pool.closed
    pool.add(question(90 + i, hops=2) for i in range(10))
    pool.end_batch()
    assert pool.is_full
