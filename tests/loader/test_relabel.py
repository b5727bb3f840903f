"""Relabelling: a bijection of content within a trajectory, and of nothing else."""

import numpy as np

from medr_jax.loader.relabel import Relabeller, content_ids
from medr_jax.testing.training import invented_tokenizer

CONTENT = np.arange(10, 60)


def row() -> dict[str, np.ndarray]:
    token_ids = np.array([1, 10, 11, 10, 2, 12, 10, 11, 0, 0], np.int32)
    return {
        "token_ids": token_ids,
        "target_ids": np.append(token_ids[1:], 0).astype(np.int32),
        "segment_ids": np.array([1, 1, 1, 1, 1, 2, 2, 2, 0, 0], np.int32),
        "positions": np.arange(10),
    }


def test_a_token_gets_one_new_name_in_its_trajectory():
    new = Relabeller(CONTENT, 64, 1.0)(row(), np.random.default_rng(0))
    ids = new["token_ids"]
    assert ids[1] == ids[3] != 10 and ids[1] != ids[2]
    assert set(ids[[1, 2, 5, 6, 7]]) <= set(CONTENT.tolist())
    assert ids[0] == 1 and ids[4] == 2, "ids outside the content stay"
    assert (ids[8:] == 0).all(), "padding stays"
    # Targets are renamed by the table of the trajectory that they belong to.
    np.testing.assert_array_equal(new["target_ids"][:4], ids[1:5])
    np.testing.assert_array_equal(new["target_ids"][5:7], ids[6:8])
    np.testing.assert_array_equal(new["positions"], np.arange(10))


def test_trajectories_of_a_row_get_tables_of_their_own():
    new = Relabeller(CONTENT, 64, 1.0)(row(), np.random.default_rng(0))["token_ids"]
    assert new[1] != new[6], "10 in the first and in the second trajectory"


def test_equal_generators_give_equal_rows_and_others_do_not():
    relabel = Relabeller(CONTENT, 64, 1.0)
    one, same, other = (relabel(row(), np.random.default_rng(s))["token_ids"] for s in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_the_share_of_trajectories_is_respected():
    untouched = Relabeller(CONTENT, 64, 0.0)(row(), np.random.default_rng(0))["token_ids"]
    np.testing.assert_array_equal(untouched, row()["token_ids"])
    relabel, rng = Relabeller(CONTENT, 64, 0.5), np.random.default_rng(0)
    changed = [
        (new["token_ids"][1:4] != row()["token_ids"][1:4]).any()
        for new in (relabel(row(), rng) for _ in range(400))
    ]
    assert 0.4 < np.mean(changed) < 0.6


def test_content_is_neither_control_tokens_nor_digits_nor_punctuation():
    tokenizer = invented_tokenizer()
    content = set(content_ids(tokenizer).tolist())
    assert tokenizer.control("<|end|>") not in content
    assert not content & set(tokenizer.encode("7 2 : ; ?"))
    assert set(tokenizer.encode("gene")) <= content
