import collections
import dataclasses
import random

import msgspec
import pytest

from medr_jax import jsonl
from medr_jax.graph.families import disease_families
from medr_jax.questions.config import SPLITS, QuestionConfig
from medr_jax.questions.generate import assemble, generate_questions, seed_entities
from medr_jax.questions.make import QuestionMaker
from medr_jax.questions.splits import assign_splits
from medr_jax.questions.summary import shared_entities, summarize
from medr_jax.types import Kind

CONFIG = QuestionConfig(num_train=40, num_dev=20, num_test=20, hop_weights=[1.0, 1.0])


@pytest.fixture(scope="module")
def splits(hpo_graph):
    return assign_splits(hpo_graph, CONFIG)


@pytest.fixture(scope="module")
def questions(hpo_graph, splits):
    """A small set of every split."""
    return {split: list(generate_questions(hpo_graph, CONFIG, split, splits)) for split in SPLITS}


@pytest.fixture(scope="module")
def checker(hpo_graph, brute_force):
    return brute_force.BruteForce(hpo_graph)


def sample_of_seeds(graph, config, split, splits, each=8):
    """Seeds of every kind."""
    seeds = seed_entities(graph, config, split, splits)
    by_kind = collections.defaultdict(list)
    for seed in seeds:
        by_kind[graph.entity(seed).kind].append(seed)
    return [
        seed
        for kind in (Kind.DISEASE, Kind.GENE, Kind.PHENOTYPE)
        for seed in random.Random(0).sample(by_kind[kind], each)
    ]


def assert_sound(brute_force, checker, questions, splits):
    for question in questions:
        found = brute_force.violations(checker, question, splits.by_entity)
        assert not found, (found, question.text, question.answer)


def test_questions_of_seeds_hold_by_brute_force(hpo_graph, splits, brute_force, checker):
    config = dataclasses.replace(CONFIG, hop_weights=[1.0] * 5)
    for split in ("train", "test"):
        maker = QuestionMaker(hpo_graph, config, splits)
        found = [
            question
            for seed in sample_of_seeds(hpo_graph, config, split, splits)
            for question in maker.from_seed(seed, split)
        ]
        assert len(found) > 40
        assert {question.num_hops for question in found} >= {1, 2, 3}
        assert_sound(brute_force, checker, found, splits)


def test_the_checker_sees_faults(hpo_graph, splits, questions, brute_force, checker):
    faults = collections.Counter()
    for question in questions["train"]:
        chain = question.chain
        if len(chain.clues) > 1:
            fewer = msgspec.structs.replace(chain, clues=chain.clues[1:])
            bad = msgspec.structs.replace(question, chain=fewer)
            faults["clue"] += bool(brute_force.violations(checker, bad, splits.by_entity))
            faults["clues"] += 1
        named = msgspec.structs.replace(question, text=f"{question.text} {question.answer}")
        assert brute_force.violations(checker, named, splits.by_entity)
        moved = msgspec.structs.replace(question, split="dev")
        wrong = brute_force.violations(checker, moved, splits.by_entity)
        faults["split"] += any("is of split" in each for each in wrong)
    assert faults["clue"] == faults["clues"] > 10
    assert faults["split"] > 30  # all but what is only about phenotypes


def test_sizes_balance_and_identity(questions):
    for split, found in questions.items():
        assert len(found) == CONFIG.size(split)
        hops = summarize(found)["hops"]
        assert hops == {"1": len(found) // 2, "2": len(found) // 2}
        opened = summarize(found)["open_answers"]
        assert all(opened[number] >= 0.75 * hops[number] for number in hops)
    everything = [question for found in questions.values() for question in found]
    assert len({question.question_id for question in everything}) == len(everything)
    asked = {
        (tuple((clue.relation, clue.entity_id) for clue in one.chain.clues), one.chain.hops)
        for one in everything
    }
    assert len(asked) == len(everything)


def test_splits_share_no_disease_and_no_gene(hpo_graph, splits, questions):
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        shared = shared_entities(hpo_graph, questions[one], questions[other])
        assert not {Kind.DISEASE, Kind.GENE} & set(shared)
    families = disease_families(hpo_graph)
    split_of = collections.defaultdict(set)
    for entity_id, family in families.items():
        split_of[family].add(splits.split_of(entity_id))
    assert split_of.pop("") == {"train"}
    assert all(len(found) == 1 for found in split_of.values())


def test_the_same_seed_gives_the_same_bytes(hpo_graph, splits, questions):
    again = generate_questions(hpo_graph, CONFIG, "dev", splits)
    assert jsonl.content_hash(again) == jsonl.content_hash(questions["dev"])
    other = dataclasses.replace(CONFIG, seed=1)
    changed = generate_questions(hpo_graph, other, "dev")
    assert jsonl.content_hash(changed) != jsonl.content_hash(questions["dev"])


@pytest.mark.slow
def test_shards_assemble_to_the_single_process_set(hpo_graph, splits, questions):
    seeds = seed_entities(hpo_graph, CONFIG, "dev", splits)[:640]
    whole = QuestionMaker(hpo_graph, CONFIG, splits)
    expected = assemble(
        seeds, lambda seed, closed: whole.from_seed(seed, "dev", closed), CONFIG, "dev"
    )
    made = {}
    for shard in (1, 0):  # in another order, and knowing nothing of closed cells
        maker = QuestionMaker(hpo_graph, CONFIG, splits)
        made.update({seed: maker.from_seed(seed, "dev") for seed in seeds[shard::2]})
    merged = assemble(seeds, lambda seed, closed: made[seed], CONFIG, "dev")
    assert jsonl.content_hash(merged) == jsonl.content_hash(expected)


def test_seeds(hpo_graph, splits):
    from medr_jax.graph.rarity import is_rare_seed_excluded, is_sparsely_annotated

    seeds = seed_entities(hpo_graph, CONFIG, "test", splits)
    diseases = [one for one in seeds if hpo_graph.entity(one).kind is Kind.DISEASE]
    sparse = [is_sparsely_annotated(hpo_graph, one) for one in diseases]
    assert sparse == sorted(sparse, reverse=True) and 0 < sum(sparse) < len(sparse)
    assert not any(is_rare_seed_excluded(hpo_graph, one) for one in diseases)
    assert all(splits.split_of(one) in ("test", "") for one in seeds)
    common = dataclasses.replace(CONFIG, seeds="common")
    first = seed_entities(hpo_graph, common, "test", splits)[0]
    assert first not in diseases[: sum(sparse)]


def test_rejections_are_counted(hpo_graph, splits):
    rejections = collections.Counter()
    small = dataclasses.replace(CONFIG, num_dev=6)
    list(generate_questions(hpo_graph, small, "dev", splits, rejections=rejections))
    assert rejections.total() > 10
    assert all(isinstance(reason, str) for reason in rejections)


@pytest.mark.slow
@pytest.mark.parametrize("hops", [4, 5])
def test_every_question_holds_by_brute_force(hpo_graph, brute_force, checker, hops):
    config = QuestionConfig(hop_weights=[1.0] * hops, num_train=3000, num_dev=300, num_test=480)
    splits = assign_splits(hpo_graph, config)
    for split in SPLITS:
        found = list(generate_questions(hpo_graph, config, split, splits))
        assert len(found) == config.size(split)
        by_hops = collections.Counter(question.num_hops for question in found)
        assert min(by_hops.values()) >= 0.7 * len(found) / hops
        assert_sound(brute_force, checker, found, splits)
