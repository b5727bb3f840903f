import msgspec
import pytest

from medr_jax.eval import contamination
from medr_jax.eval.benchmarks.base import BenchmarkItem


def unseen(world, *turns, asked=None):
    training = world.trajectory(
        *turns, question=world.question("train", num_hops=1, text="tall stature?", split="train")
    )
    return contamination.unseen_questions(
        [asked or world.question()], [training], names=world.names, kind_of=world.kind_of
    )


def test_clues_may_be_shared(world):
    found = unseen(world, world.search("tall stature", "D3"), world.answer("Loeys-Dietz syndrome"))
    assert found.fully == found.entities == {"q1"}


@pytest.mark.parametrize(
    "place",
    [
        lambda world: world.search("x", "D2"),  # a distractor hit: the answer's own page
        lambda world: world.search("x", "D3", thought="unlike MFS1, ..."),  # a synonym
        lambda world: world.search("fbn1"),  # a query
        lambda world: world.answer("stiff - skin syndrome"),  # normalised
    ],
)
def test_any_name_anywhere_counts(world, place):
    found = unseen(world, place(world))
    assert found.fully == found.entities == frozenset()


def test_names_are_whole_words(world):
    found = unseen(world, world.search("FBN12 and non MFS10 and stiff skin"))
    assert found.fully == {"q1"}


def test_a_shared_phenotype_as_answer_leaves_the_entities_unseen(world):
    asked = world.question(num_hops=2)
    hop = msgspec.structs.replace(asked.chain.hops[0], target_id="HP:1")
    asked = msgspec.structs.replace(
        asked,
        answer="Tall stature",
        answer_id="HP:1",
        chain=msgspec.structs.replace(asked.chain, hops=(hop,)),
    )
    found = unseen(world, world.search("x", "D3"), asked=asked)
    assert (found.fully, found.entities) == (frozenset(), {"q1"})


def test_aliases_of_the_answer_count(world):
    asked = msgspec.structs.replace(
        world.question(), answer_aliases=("congenital fascial dystrophy",)
    )
    found = unseen(world, world.search("congenital fascial dystrophy"), asked=asked)
    assert (found.fully, found.entities) == (frozenset(), {"q1"})


def item(item_id, question, gold, *aliases):
    return BenchmarkItem(item_id=item_id, question=question, gold=gold, aliases=aliases)


NAMES = {"D1": ("Marfan syndrome", "MFS1"), "G1": ("FBN1",), "D2": ("Stiff skin syndrome",)}


def test_overlap_of_entities_and_word_runs():
    items = [
        item("a", "Which gene belongs to Marfan syndrome in the graph?", "FBN1"),
        item("b", "Which syndrome stiffens the skin?", "Other", "stiff-skin syndrome"),
        item("c", "Nothing here is shared at all today.", "Nobody"),
    ]
    training = ["We asked: which gene belongs to marfan syndrome, then.", "stiff skin syndrome"]
    found = contamination.overlap(items, training, NAMES, n=4)
    # "a": 9 words, 6 runs of 4, of which "which gene belongs to", "gene belongs to marfan" and
    # "belongs to marfan syndrome" are in the training text
    a, b = found.items
    assert (a.item_id, a.entity_ids, a.answer_named) == ("a", ("D1",), False)
    assert a.ngram_share == pytest.approx(3 / 6)
    assert (b.item_id, b.entity_ids, b.answer_named, b.ngram_share) == ("b", ("D2",), True, 0)
    assert (found.num_with_entity, found.num_with_answer, found.num_with_ngram) == (2, 1, 1)
    assert found.mean_ngram_share == pytest.approx(0.5 / 3)
    assert [(one.entity_id, one.name, one.num_items) for one in found.entities] == [
        ("D1", "Marfan syndrome", 1),
        ("D2", "Stiff skin syndrome", 1),
    ]


def test_a_symbol_counts_in_a_question_only_as_it_is_written():
    names = {"G1": ("WAS", "WASP1"), "G2": ("FBN1",)}
    items = [
        item("a", "Was the trial stopped?", "yes"),
        item("b", "Does WAS matter?", "yes"),
        item("c", "Is fbn1 (FBN1) mutated?", "yes"),
    ]
    found = contamination.overlap(items, ["it was so", "fbn1 associated diseases"], names)
    # any spelling counts in training text, which may be in lower case
    assert [(one.item_id, one.entity_ids) for one in found.items] == [
        ("b", ("G1",)),
        ("c", ("G2",)),
    ]


def test_the_answer_of_a_choice_is_the_text_of_its_option():
    choice = BenchmarkItem(
        item_id="a",
        question="Which gene?",
        gold="B",
        options=("Marfan syndrome", "FBN1"),
        kind="choice",
    )
    found = contamination.overlap([choice], ["fbn1 and marfan syndrome"], {**NAMES, "X": ("B",)})
    assert found.items[0].entity_ids == ("G1",) and found.num_with_answer == 1


def test_a_short_question_is_one_run():
    found = contamination.overlap([item("a", "What is it?", "x")], ["so what is it, then"], {}, n=8)
    assert found.num_with_ngram == 1


def test_runs_do_not_cross_texts_and_need_items():
    found = contamination.overlap(
        [item("a", "one two three four", "x")], ["one two", "three four"], {}, n=4
    )
    assert found.num_with_ngram == 0
    with pytest.raises(ValueError, match="n=0"):
        contamination.overlap([item("a", "x", "x")], [], {}, n=0)
