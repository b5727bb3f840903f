"""Chain strategies through the whole question maker."""

import pytest

from medr_jax.questions.config import QuestionConfig
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.splits import assign_splits
from medr_jax.types import Kind

WEIGHTS = {
    "longest_chain": {"longest_chain": 1.0},
    "augmented_chain": {"augmented_chain": 2.0},
    "max_chain": {"max_chain": 1.0, "longest_chain": 0.0},
    "mixed": {"longest_chain": 1.0, "augmented_chain": 1.0, "max_chain": 1.0},
}


@pytest.fixture
def made(tiny_graph):
    """Questions of every disease under each strategy, by name."""
    found = {}
    for name, weights in WEIGHTS.items():
        config = QuestionConfig(strategy_weights=weights, dev_fraction=0.0, test_fraction=0.0)
        maker = QuestionMaker(tiny_graph, config, assign_splits(tiny_graph, config))
        found[name] = {
            seed: maker.from_seed(seed, "train") for seed in tiny_graph.entity_ids(Kind.DISEASE)
        }
    return found


def test_every_chain_is_connected_and_says_its_seed(made):
    for by_seed in made.values():
        assert sum(map(len, by_seed.values())) >= 5
        for seed, questions in by_seed.items():
            for question in questions:
                assert question.chain.seed_id == seed
                hops = question.chain.hops
                links = zip(hops, hops[1:], strict=False)
                assert all(one.target_id == other.source_id for one, other in links)
                assert question.num_hops == len(hops) + bool(question.chain.clues)


def test_a_mixed_seed_is_one_of_the_others(made):
    for seed, questions in made["mixed"].items():
        assert any(made[name][seed] == questions for name in made if name != "mixed")


def test_a_longer_chain_may_begin_beside_its_seed(made):
    starts = {
        (seed, question.chain.hops[0].source_id)
        for seed, questions in made["max_chain"].items()
        for question in questions
        if question.chain.hops
    }
    assert ("OMIM:6", "GENE:EEE5") in starts
    assert made["max_chain"] != made["longest_chain"]


def test_the_strategy_of_a_seed_is_drawn_by_its_id(tiny_graph):
    config = QuestionConfig(strategy_weights=WEIGHTS["mixed"])
    maker = QuestionMaker(tiny_graph, config, assign_splits(tiny_graph, config))
    drawn = [maker.strategy(f"S{number}") for number in range(30)]
    assert set(drawn) == set(WEIGHTS["mixed"])
    assert drawn == [maker.strategy(f"S{number}") for number in range(30)]


def test_config_says_what_it_wants():
    with pytest.raises(ValueError, match="strategy_weights=.*community"):
        QuestionConfig(strategy_weights={"community": 1.0})
    with pytest.raises(ValueError, match="pattern step 'cures'"):
        QuestionConfig(chain_patterns=[["cures"]])
