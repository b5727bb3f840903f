import math

import pytest

from medr_jax.pages import charts


def points(line):
    return [tuple(map(float, pair.split(","))) for pair in line.coordinates.split()]


def chart(values, **options):
    return charts.line_chart(
        [charts.Series(name="loss", points=values, **options)], x_label="step", y_label="loss"
    )


def test_corners_of_the_data_are_corners_of_the_drawing():
    drawn = chart([(0, 0.0), (100, 4.0)])
    # y grows downwards in SVG: swapped axes would draw a falling line
    assert points(drawn.lines[0]) == [(drawn.left, drawn.bottom), (drawn.right, drawn.top)]
    assert [tick.text for tick in drawn.y_ticks] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("values", [[], [(0, math.nan)], [(0, math.inf), (math.nan, 1)]])
def test_nothing_finite_is_no_chart(values):
    assert chart(values) is None


def test_values_that_are_not_finite_are_left_out():
    assert len(points(chart([(0, 1.0), (1, math.nan), (2, 0.5)]).lines[0])) == 2


@pytest.mark.parametrize("values", [[(5, 0.0)], [(0, 3.0), (1, 3.0)], [(0, 1e-9), (1, 2e-9)]])
def test_flat_and_tiny_values_stay_inside(values):
    drawn = chart(values)
    for x, y in points(drawn.lines[0]):
        assert drawn.left <= x <= drawn.right
        assert drawn.top <= y <= drawn.bottom


def test_negative_values_are_drawn_below_zero():
    drawn = chart([(0, -1.0), (1, 1.0)])
    assert drawn.y_ticks[0].text == "-1"


def test_a_logarithmic_axis_spaces_ratios_evenly_and_leaves_zero_out():
    line = charts.Series(name="loss", points=[(0, 10.0), (1, 0.1), (2, 0.0), (3, 0.001)])
    drawn = charts.line_chart([line], x_label="step", y_label="loss", y_axis=charts.YAxis.log)
    heights = [y for _, y in points(drawn.lines[0])]
    # a linear axis would put 0.1 at the bottom, beside 0.001
    assert heights == [drawn.top, (drawn.top + drawn.bottom) / 2, drawn.bottom]
    assert [tick.text for tick in drawn.y_ticks] == ["0.001", "0.01", "0.1", "1", "10"]


def test_an_axis_that_fits_begins_near_the_smallest_value():
    line = charts.Series(name="share", points=[(0, 0.98), (1, 1.0)])
    drawn = charts.line_chart([line], x_label="step", y_label="", y_axis=charts.YAxis.fit)
    assert drawn.y_ticks[0].text == "0.98"


def test_the_last_point_stands_at_the_right_edge_whatever_the_round_numbers():
    drawn = chart([(0, 1.0), (1200, 0.5)])
    assert points(drawn.lines[0])[-1][0] == drawn.right
    assert drawn.x_ticks[-1].text == "1,000"


def test_long_series_are_thinned_but_end_where_they_end():
    drawn = chart([(step, float(step)) for step in range(10_001)])
    assert len(points(drawn.lines[0])) <= 302
    assert points(drawn.lines[0])[-1] == (drawn.right, drawn.top)


def test_smoothing_is_centred():
    # a trailing mean of 3 would give 8 at the last falling point
    assert charts.smoothed([(0, 12.0), (1, 9.0), (2, 6.0), (3, 3.0)], 3) == [
        (0, 10.5),
        (1, 9.0),
        (2, 6.0),
        (3, 4.5),
    ]


def test_raw_values_stand_faint_behind_their_mean():
    drawn = chart([(0, 2.0), (1, 1.0), (2, 3.0)], smooth=3)
    assert [(line.faint, line.index) for line in drawn.lines] == [(True, 0), (False, 0)]
    assert drawn.lines[1].name == "loss (mean of 3)"
