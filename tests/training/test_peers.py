"""What counts as a sign of life of the other processes."""

import threading
import time

import jax
import pytest

from medr_jax import processes
from medr_jax.agent.drivers import OthersFailed
from medr_jax.training import peers
from medr_jax.training.peers import Peers


@pytest.fixture
def ended(monkeypatch):
    """What a process said when it ended itself."""
    said = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(peers, "CHECK_S", 0.01)
    monkeypatch.setattr(Peers, "_end", lambda self, what: said.append(what))
    return said


@pytest.mark.parametrize(("heard_ago", "ends"), [(0.0, False), (1000.0, True)])
def test_a_vote_of_all_while_they_sample_is_one(ended, monkeypatch, heard_ago, ends):
    monkeypatch.setattr(processes, "last_agreement", lambda: time.monotonic() - heard_ago)
    both = Peers(timeout_s=60.0)
    both._last = time.monotonic() - 1000.0  # the last step
    over = threading.Event()
    threading.Timer(0.1, over.set).start()
    both._watch(over)
    assert bool(ended) is ends


def test_a_failure_elsewhere_ends_this_process(ended):
    with Peers(timeout_s=60.0).watched():
        raise OthersFailed("another process failed")
    assert ended == ["another process failed"]
