import msgspec
import pytest

from medr_jax.eval import contamination


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
