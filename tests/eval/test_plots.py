"""What the figures must show whatever the records hold: every point, and no run twice."""

import pytest

from medr_jax.eval import plots
from medr_jax.eval.arms import ArmRecord
from medr_jax.eval.grid_tables import MAIN, by_arm
from medr_jax.eval.metrics import Summary
from medr_jax.eval.statistics import Cell


def summary(agent, right=0.5, words=40.0):
    cells = {
        "exact_match": Cell(value=right, low=right - 0.1, high=right + 0.1, n=50),
        "words_written": Cell(value=words, n=50),
        "words_read": Cell(value=2 * words, n=50),
    }
    groups = {"all": cells, "hops=1": cells, "hops=2": cells}
    return Summary(
        agent=agent, groups=groups, statuses={"ok": 50}, num_questions=50, num_infra_failed=0
    )


def record(arm, training, losses=(4.0, 2.0, 1.0), seed=0):
    return ArmRecord(
        arm=arm,
        label=f"arm {arm}"
        + ", of which there is more to be said than fits half a line" * (arm != MAIN),
        seed=seed,
        run_id=f"evaluation-{arm}/{training}",
        summaries={name: summary(name) for name in ("majority", "model", "oracle")},
        curve=tuple(enumerate(losses, start=1)),
    )


@pytest.fixture
def arms():
    shared = record("other_search", "t0")
    return by_arm(
        [
            record(MAIN, "t0"),
            record(MAIN, "t1", seed=1),
            shared,
            record("a", "t2"),
            record("b", "t3"),
        ]
    )


def test_a_training_that_arms_share_is_drawn_once(arms):
    (axis,) = plots._curves(arms).axes
    assert len(axis.lines) == 4  # two seeds, two arms; the third's is the first seed's


@pytest.mark.parametrize("draw", [plots._hops, plots._curves, plots._cost])
def test_the_legend_lies_outside_of_the_axes(arms, draw):
    figure = draw(arms)
    figure.draw_without_rendering()
    (axis,), (legend,) = figure.axes, figure.legends
    assert legend.get_window_extent().y1 <= axis.get_window_extent().y0
    assert legend.get_window_extent().width <= figure.bbox.width


def test_costs_are_words_read_and_written_with_the_interval_of_what_they_bring(arms):
    (axis,) = plots._cost(arms).axes
    (model,) = [one for one in axis.containers if one.get_label() == "trained model"]
    ((x, y),) = model.lines[0].get_xydata()
    assert (x, y) == (120.0, 0.5)  # 40 written, 80 read
    assert model.has_yerr and len(axis.containers) == 6  # three agents, three arms


@pytest.mark.parametrize(
    ("losses", "wanted"), [((7.4, 7.2, 6.4, 5.5), {"6", "7"}), ((7.0, 0.5, 0.03), {"0.1", "1"})]
)
def test_a_loss_axis_has_plain_numbers_in_any_range(losses, wanted):
    figure = plots._curves(by_arm([record(MAIN, "t0", losses=losses)]))
    figure.draw_without_rendering()
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    labels = {
        tick.label1.get_text()
        for tick in (*axis.yaxis.get_major_ticks(), *axis.yaxis.get_minor_ticks())
        if low <= tick.get_loc() <= high
    }
    assert wanted <= labels and len(labels) < 10
