"""The trust page shows the worst values beside their gates."""

import pytest

from medr_jax.launch.trust_page import write_page
from medr_jax.rl.trust import TrustConfig


def records():
    for step in (1, 2, 3):
        yield {
            "kind": "train", "step": step, "loss": 0.1, "grad_norm": 1.0,
            "rollout/exact_match": 0.2 * step, "rollout/infra_failed": 0.0,
            "sampler/gap_max": 1e-6 * (4 - step), "policy/reference_kl": 0.01 * (step - 1),
        }  # fmt: skip


def test_the_page_stands_alone_and_shows_the_gates(tmp_path):
    write_page(tmp_path / "trust.html", list(records()), TrustConfig(), {"seed": "<0>"})
    page = (tmp_path / "trust.html").read_text()
    assert "0.200 → 0.600" in page and "stops above 0.0001" in page
    assert ">3e-06<" in page  # the largest gap, not the last one
    assert ">0<" in page  # KL before the first step, not later on
    assert (
        "&lt;0&gt;" in page
        and "<script" not in page
        and "http" not in page.split("<style>")[0].replace("http-equiv", "")
    )
    assert page.count("<figure>") == 6


def test_a_run_that_measured_nothing_has_no_page(tmp_path):
    with pytest.raises(ValueError, match="run some steps first"):
        write_page(tmp_path / "p.html", [{"kind": "train", "step": 1}], TrustConfig(), {})
