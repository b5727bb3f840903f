"""The cached path equals the whole forward pass, however the tokens come in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from medr_jax.models import kv_cache, kv_store, transformer
from medr_jax.models.kv_cache import KVCache
from medr_jax.testing.models import random_tokens, small_config, small_model, whole_rows

SLOTS, LENGTH = 4, 20


@pytest.fixture(params=["short", "in stretches", "one array"])
def layout(request, monkeypatch):
    """How keys and values lie: as a short cache, as a long one, and as beside an accelerator."""
    if request.param == "in stretches":  # of 8, 8 and 4 positions
        monkeypatch.setattr(kv_store, "BLOCK", 4)
        monkeypatch.setattr(kv_store, "MAX_STRETCHES", 3)
    elif request.param == "one array":
        for module in (kv_store, kv_cache, transformer):
            monkeypatch.setattr(module, "on_cpu", lambda: False)


@nnx.jit
def extend(model, token_ids, cache, num_new, slots=None):
    return model.extend(token_ids, cache, num_new, slots)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def tokens():
    return random_tokens((SLOTS, 16))


@pytest.fixture(scope="module")
def expected(model, tokens):
    return np.asarray(model(tokens, *whole_rows(tokens)))


def feed(model, cache, tokens, counts, slots=None):
    """The next ``counts[b]`` tokens of each row, padded with a token that would be noticed."""
    slots = list(range(SLOTS)) if slots is None else slots
    starts = [int(cache.lengths[slot]) for slot in slots]
    width = max(max(counts), 1)
    given = np.full((len(slots), width), 33)
    for row, (slot, start, count) in enumerate(zip(slots, starts, counts, strict=True)):
        given[row, :count] = tokens[slot, start : start + count]
    indirect = None if slots == list(range(SLOTS)) else jnp.array(slots)
    return extend(model, jnp.asarray(given), cache, jnp.array(counts), indirect)


def check(states, expected, starts, counts, slots=None, atol=1e-5):
    slots = list(range(SLOTS)) if slots is None else slots
    for row, (slot, start, count) in enumerate(zip(slots, starts, counts, strict=True)):
        whole = expected[slot, start : start + count]
        np.testing.assert_allclose(states[row, :count], whole, atol=atol)


@pytest.mark.usefixtures("layout")
def test_ragged_prefill_then_decode(model, tokens, expected):
    cache = KVCache.create(model.config, SLOTS, LENGTH)
    starts = [0] * SLOTS
    # Prompts, then a few single tokens, then tool results in the middle of things. Rows with 0
    # wait; fewer new tokens than the convolution has taps keep part of its old state.
    for counts in ([7, 3, 0, 1], [1, 1, 0, 1], [1, 1, 1, 0], [0, 6, 4, 2], [1, 1, 1, 1]):
        states, cache = feed(model, cache, tokens, counts)
        check(states, expected, starts, counts)
        starts = [start + count for start, count in zip(starts, counts, strict=True)]
    assert cache.lengths.tolist() == starts == [10, 12, 6, 5]


def test_rows_may_address_other_slots(model, tokens, expected):
    cache = KVCache.create(model.config, SLOTS, LENGTH)
    states, cache = feed(model, cache, tokens, [5, 2], slots=[3, 1])
    check(states, expected, [0, 0], [5, 2], slots=[3, 1])
    # A row without new tokens may even name a slot that another row fills.
    states, cache = feed(model, cache, tokens, [3, 0, 4], slots=[1, 1, 0])
    check(states, expected, [2, 5, 0], [3, 0, 4], slots=[1, 1, 0])
    states, cache = feed(model, cache, tokens, [1, 1, 0, 1])
    check(states, expected, [4, 5, 0, 5], [1, 1, 0, 1])
    assert cache.lengths.tolist() == [5, 6, 0, 6]


def test_a_cleared_slot_is_as_new(model, tokens, expected):
    cache = KVCache.create(model.config, SLOTS, LENGTH)
    _, cache = feed(model, cache, np.asarray(tokens)[::-1], [9, 9, 9, 9])
    cache = cache.clear(jnp.array([2, 0, SLOTS, SLOTS]))  # SLOTS is out of range: ignored
    assert cache.lengths.tolist() == [0, 9, 0, 9]
    states, _ = feed(model, cache, tokens, [4, 0, 3, 0])
    check(states, expected, [0, 9, 0, 9], [4, 0, 3, 0])


@pytest.mark.usefixtures("layout")
def test_rows_move(model, tokens, expected):
    cache = KVCache.create(model.config, SLOTS, LENGTH)
    _, cache = feed(model, cache, tokens, [11, 6, 0, 3])
    cache = cache.keep_prompts(jnp.array([0, SLOTS, SLOTS, SLOTS]))
    cache = cache.copy_prompts(*jnp.array([[0, 0], [2, 1], [11, 11]]), count=jnp.int32(1))
    assert cache.lengths.tolist() == [11, 6, 11, 3]
    cache = cache.swap(*jnp.array([[3, 0], [2, 1]]), count=jnp.int32(1))
    # Slot 2 holds row 3, and slot 3 what row 0 is.
    assert cache.lengths.tolist() == [11, 6, 3, 11]
    rows = tokens[jnp.array([0, 1, 3, 0])]
    states, cache = feed(model, cache, rows, [5, 4, 6, 5])
    check(states, expected[[0, 1, 3, 0]], [11, 6, 3, 11], [5, 4, 6, 5])


@pytest.mark.parametrize("scanned", [True, False])
@pytest.mark.usefixtures("layout")
def test_a_loop_reads_its_own_rows(scanned, tokens):
    model = small_model(small_config(scan_layers=scanned))
    whole = np.asarray(model(tokens, *whole_rows(tokens)))
    starts = [9, 3, 0, 12]
    cache = feed(model, KVCache.create(model.config, SLOTS, LENGTH), tokens, starts)[1]

    @nnx.jit
    def decode(model, cache):
        new = cache.extension(3, jnp.array([True, True]))
        rows, layers = cache.rows_of(new), model.layers_apart()
        states = []
        for step in range(3):
            fed = jnp.stack([tokens[row, starts[row] + step] for row in (0, 1)])[:, None]
            state, new = model.grow(fed, new.over(rows), jnp.array([1, 1]), layers)
            states.append(state)
        return jnp.concatenate(states, axis=1), cache.commit(new.over(None))

    states, cache = decode(model, cache)
    check(states, whole, starts[:2], [3, 3], slots=[0, 1])
    assert cache.lengths.tolist() == [12, 6, 0, 12]
    states, _ = feed(model, cache, tokens, [2, 2, 2, 2])
    check(states, whole, [12, 6, 0, 12], [2, 2, 2, 2])


def test_the_last_place_of_a_slot_is_usable(model, tokens, expected):
    cache = KVCache.create(model.config, SLOTS, 6)
    _, cache = feed(model, cache, tokens, [5, 5, 5, 5])
    states, cache = feed(model, cache, tokens, [1, 0, 0, 1])
    check(states, expected, [5, 5, 5, 5], [1, 0, 0, 1])


@pytest.mark.parametrize(
    "changes",
    [
        {"short_conv_width": 0},
        {"scan_layers": False},
        {"num_kv_heads": 4, "qkv_bias": False, "qk_norm": False},
        {"num_kv_heads": 1, "tied_embeddings": False},
    ],
)
@pytest.mark.parametrize("layout", ["in stretches"], indirect=True)
def test_other_configs(layout, changes, tokens):
    model = small_model(small_config(**changes))
    whole = np.asarray(model(tokens, *whole_rows(tokens)))
    cache = KVCache.create(model.config, SLOTS, LENGTH)
    _, cache = feed(model, cache, tokens, [11, 7, 3, 8])
    cache = cache.swap(*jnp.array([[0], [2]]), count=jnp.int32(1))  # and back again
    cache = cache.swap(*jnp.array([[2], [0]]), count=jnp.int32(1))
    states, cache = feed(model, cache, tokens, [1, 1, 1, 1])
    check(states, whole, [11, 7, 3, 8], [1, 1, 1, 1])


def test_rows_change_places_without_a_copy_of_the_cache():
    cache, slots = KVCache.create(small_config(), 32, 512), jnp.zeros(32, jnp.int32)
    size = sum(array.nbytes for array in jax.tree.leaves(cache.keys))
    swap = jax.jit(KVCache.swap, donate_argnums=0).lower(cache, slots, slots, jnp.int32(3))
    assert swap.compile().memory_analysis().temp_size_in_bytes < size // 10


def test_keys_are_read_as_they_lie():
    config = small_config(num_kv_heads=1, scan_layers=False, num_layers=1)  # for four queries
    slots, length = 16, 2048
    cache = KVCache.create(config, slots, length)
    query = jnp.ones((slots, 1, config.num_heads, config.head_dim))

    def attend(cache, query):
        return cache.extension(1, jnp.ones(slots, bool)).attend(0, query)

    scores = query[..., 0].nbytes * (length // kv_store.MAX_STRETCHES)
    compiled = jax.jit(attend).lower(cache, query).compile()
    # Scores and weights of a stretch; its keys, written down the other way round, are as much.
    assert compiled.memory_analysis().temp_size_in_bytes < 2.5 * scores
