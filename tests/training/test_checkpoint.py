"""Checkpoints: what comes back, and what happens to damaged ones."""

import errno
import shutil
from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from medr_jax.sharding import MeshConfig, make_mesh
from medr_jax.training import checkpoint
from medr_jax.training.checkpoint import Checkpoints
from medr_jax.training.state import create_state, fingerprint


class Toy(nnx.Module):
    def __init__(self):
        self.weight = nnx.Param(jnp.arange(12.0).reshape(3, 4), axes=("embed", "mlp"))


def new_state():
    return create_state(nnx.state(Toy()), optax.adam(0.1), make_mesh(MeshConfig()), seed=5)


@jax.jit
def advanced(state, by):
    return jax.tree.map(lambda a: a + by.astype(a.dtype), state)


def at_step(step: int):
    return advanced(new_state(), jnp.int32(step))


@pytest.fixture
def store(tmp_path):
    made = Checkpoints(tmp_path / "checkpoints", keep=2)
    yield made
    made.close()


def save(store, *steps: int) -> None:
    for step in steps:
        store.save(at_step(step), {"next": step}, {"note": "n"})
    store.wait()


def damage(store, step: int) -> None:
    """Flips one byte in each data file of the parameters: sizes stay."""
    for file in (store.path / str(step) / "params").rglob("*"):
        if file.is_file() and file.parent.name == "d":
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 0xFF
            file.write_bytes(content)


def test_everything_comes_back(store):
    save(store, 3)
    found = store.restore(new_state())
    assert fingerprint(found.state) == fingerprint(at_step(3))
    assert found.data == {"next": 3}
    assert found.meta["step"] == 3 and found.meta["note"] == "n"


def test_nothing_saved_is_nothing_found(store):
    assert store.restore(new_state()) is None
    with pytest.raises(ValueError, match="no complete checkpoint; run the training first"):
        store.restore_params(new_state().params)


def test_the_newest_are_kept(store):
    save(store, 1, 2, 3)
    assert store.steps() == [2, 3]


def test_arrays_may_be_donated_while_they_are_being_written(store):
    donating = jax.jit(lambda s: jax.tree.map(lambda a: a + 1, s), donate_argnums=0)
    state = at_step(4)
    expected = fingerprint(state)
    store.save(state, {}, {})
    for _ in range(20):
        state = donating(state)
    store.wait()
    assert fingerprint(store.restore(new_state()).state) == expected


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(store, capsys):
    save(store, 1, 2)
    damage(store, 2)
    found = store.restore(new_state())
    assert found.meta["step"] == 1
    message = "".join(capsys.readouterr().err.split())
    assert "checkpoints/2isdamaged" in message and "movedto" in message
    assert "tryingtheonebeforeit" in message
    assert store.steps() == [1], "moved aside, so that step 2 can be saved again"
    assert list((store.path.parent / "damaged").iterdir())
    save(store, 2)
    assert store.restore(new_state()).meta["step"] == 2


def test_a_checkpoint_of_other_shapes_is_another_runs_and_stays(store):
    save(store, 1)

    def refuse(meta):
        raise ValueError(f"another run: {meta['note']}")

    other = jax.tree.map(lambda a: jnp.zeros((*a.shape, 2), a.dtype), new_state())
    with pytest.raises(ValueError, match="another run: n"):
        store.restore(other, refuse)
    assert store.steps() == [1] and not (store.path.parent / "damaged").exists()


def test_arrays_that_were_swapped_for_others_are_noticed(store):
    save(store, 1, 2)
    shutil.rmtree(store.path / "2" / "params")
    shutil.copytree(store.path / "1" / "params", store.path / "2" / "params")
    assert store.restore(new_state()).meta["step"] == 1


def test_a_checkpoint_cut_short_by_a_kill_does_not_count(store):
    save(store, 1)
    (store.path / "2.orbax-checkpoint-tmp").mkdir()
    again = Checkpoints(store.path, keep=2)
    assert again.steps() == [1]
    again.close()


def test_a_checkpoint_that_cannot_even_say_what_it_is_is_set_aside_too(store, capsys):
    save(store, 1, 2)
    shutil.rmtree(store.path / "2" / "meta")
    assert store.restore(new_state()).meta["step"] == 1
    assert "checkpoints/2isdamaged" in "".join(capsys.readouterr().err.split())
    assert store.steps() == [1]


def test_all_damaged_is_an_error_that_says_what_next(store):
    save(store, 1)
    damage(store, 1)
    with pytest.raises(ValueError, match=r"every checkpoint \(steps \[1\]\) is damaged.*again"):
        store.restore(new_state())


def test_parameters_come_back_without_the_optimizer(store):
    save(store, 2)
    params, meta = store.restore_params(new_state().params)
    np.testing.assert_array_equal(params["weight"][...], at_step(2).params["weight"][...])
    assert meta["step"] == 2


def test_what_a_checkpoint_says_of_itself_is_read_alone_or_named_as_damaged(store):
    save(store, 2)
    assert store.read_meta()["note"] == "n"
    for file in (store.path / "2" / "meta").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:5])
    with pytest.raises(ValueError, match=r"checkpoints/2: damaged \("):
        store.read_meta()
    assert store.steps() == [2], "reading moves nothing aside"


def test_parameters_of_another_shape_are_refused(store):
    save(store, 2)
    other = jax.tree.map(lambda a: jnp.zeros((3, 5)), new_state().params)
    with pytest.raises(ValueError, match=r"checkpoints/2: cannot restore.*model config"):
        store.restore_params(other)


def test_a_full_disk_is_an_error_before_anything_is_removed(store, monkeypatch):
    save(store, 1, 2)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: usage(100, 90, 10))
    wanted = "a checkpoint takes .* bytes and 10 are free; older checkpoints are kept"
    with pytest.raises(OSError, match=wanted) as problem:
        store.save(at_step(3), {}, {})
    assert problem.value.errno == errno.ENOSPC
    assert store.steps() == [1, 2]


def test_a_disk_that_fills_up_while_writing_is_named_too(store, monkeypatch):
    save(store, 1)

    def fail(*arguments, **named):
        raise RuntimeError("INTERNAL: write failed: No space left on device [type.googleapis]")

    monkeypatch.setattr(store._manager, "save", fail)
    with pytest.raises(OSError, match="did not fit; older ones are kept") as problem:
        store.save(at_step(2), {}, {})
    assert problem.value.errno == errno.ENOSPC
    monkeypatch.setattr(store._manager, "wait_until_finished", fail)
    with pytest.raises(OSError, match="did not fit"):
        store.wait()
    monkeypatch.undo()
    assert store.restore(new_state()).meta["step"] == 1


def test_another_error_while_writing_stays_what_it_is(store, monkeypatch):
    def fail(*arguments, **named):
        raise RuntimeError("INTERNAL: the file system is gone")

    monkeypatch.setattr(store._manager, "wait_until_finished", fail)
    with pytest.raises(RuntimeError, match="the file system is gone"):
        store.wait()


def test_reading_changes_no_file(store):
    save(store, 2)
    before = sorted((f, f.stat().st_mtime_ns) for f in store.path.rglob("*"))
    reader = Checkpoints(store.path, read_only=True)
    reader.restore_params(new_state().params)
    reader.close()
    assert sorted((f, f.stat().st_mtime_ns) for f in store.path.rglob("*")) == before
    with pytest.raises(ValueError, match="no such folder"):
        Checkpoints(store.path / "nowhere", read_only=True)
