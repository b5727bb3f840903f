"""Line charts as numbers that an SVG template draws."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 12, 12, 36
_MAX_POINTS = 300


class YAxis(enum.Enum):
    """``zero`` begins at 0, ``fit`` at the smallest value; ``log`` shows what is above 0."""

    zero = "zero"
    fit = "fit"
    log = "log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One line: its name and (x, y) points in order of x; what is not finite is left out."""

    name: str
    points: Sequence[tuple[float, float]]
    smooth: int = 0  # draw the centred mean of this many points, the raw values faint behind it


@dataclass(frozen=True, kw_only=True, slots=True)
class Tick:
    """A mark on an axis: where, and what stands beside it."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A polyline in the chart's own units."""

    name: str
    coordinates: str
    faint: bool
    index: int  # of the colour, shared by a line and its raw values


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Everything the template draws; ``text`` says the same to those who cannot see it."""

    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    text: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def line_chart(
    series: Sequence[Series], *, x_label: str, y_label: str, y_axis: YAxis = YAxis.zero
) -> Chart | None:
    """A chart of the series, or None when no series has a point that can be drawn."""
    clean = [(line, _drawable(line.points, y_axis)) for line in series]
    clean = [(line, points) for line, points in clean if points]
    if not clean:
        return None
    x_range = _extent([x for _, points in clean for x, _ in points])
    x_ticks = [x for x in _round_ticks(*x_range) if x_range[0] <= x <= x_range[1]]
    values = [y for _, points in clean for _, y in points]
    y_ticks = _y_ticks(values, y_axis)
    height = math.log10 if y_axis is YAxis.log else float
    y_range = (height(y_ticks[0]), height(y_ticks[-1]))

    def x_at(x: float) -> float:
        return _place(x, x_range, _LEFT, WIDTH - _RIGHT)

    def y_at(y: float) -> float:
        return _place(height(y), y_range, HEIGHT - _BOTTOM, _TOP)

    lines = tuple(
        Line(
            name=line.name + (f" (mean of {line.smooth})" if line.smooth and not faint else ""),
            coordinates=" ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in _thin(drawn)),
            faint=faint,
            index=index,
        )
        for index, (line, points) in enumerate(clean)
        for faint, drawn in _layers(points, line.smooth)
    )
    ends = "; ".join(
        f"{line.name} from {points[0][1]:.3g} to {points[-1][1]:.3g}" for line, points in clean
    )
    return Chart(
        x_label=x_label,
        y_label=y_label,
        lines=lines,
        x_ticks=tuple(Tick(at=round(x_at(x), 1), text=_tick_text(x)) for x in x_ticks),
        y_ticks=tuple(Tick(at=round(y_at(y), 1), text=_tick_text(y)) for y in y_ticks),
        text=f"{y_label} over {x_label}: {ends}",
    )


def smoothed(points: Sequence[tuple[float, float]], window: int) -> list[tuple[float, float]]:
    """The mean over ``window`` values around each point, fewer at both ends (odd windows).

    Centred: a trailing mean would draw a falling curve too high.
    """
    half = window // 2
    means = []
    for index, (x, _) in enumerate(points):
        around = [y for _, y in points[max(0, index - half) : index + half + 1]]
        means.append((x, math.fsum(around) / len(around)))
    return means


def _layers(
    points: list[tuple[float, float]], window: int
) -> list[tuple[bool, list[tuple[float, float]]]]:
    """(faint, points) of what is drawn for one series, from back to front."""
    if not window:
        return [(False, points)]
    return [(True, points), (False, smoothed(points, window))]


def _drawable(points: Sequence[tuple[float, float]], y_axis: YAxis) -> list[tuple[float, float]]:
    lowest = 0.0 if y_axis is YAxis.log else -math.inf
    return [(x, y) for x, y in points if math.isfinite(x) and lowest < y < math.inf]


def _y_ticks(values: Sequence[float], y_axis: YAxis) -> list[float]:
    if y_axis is not YAxis.log:
        return _round_ticks(*_extent([0.0, *values] if y_axis is YAxis.zero else values))
    low, high = _extent(values)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if len(powers) <= 3 else (1,)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    first = max(index for index, tick in enumerate(ticks) if tick <= low)
    last = min(index for index, tick in enumerate(ticks) if tick >= high)
    return ticks[first : last + 1]


def _extent(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low, low + 1.0)


def _round_ticks(low: float, high: float) -> list[float]:
    """About five round numbers (1, 2 or 5 times a power of ten) that cover low to high."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, last + 1)]


def _tick_text(value: float) -> str:
    return f"{round(value, 10):,.10g}"


def _place(value: float, span: tuple[float, float], start: float, end: float) -> float:
    return start + (value - span[0]) / (span[1] - span[0]) * (end - start)


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most _MAX_POINTS of the points, evenly spaced, the last one always kept."""
    stride = math.ceil(len(points) / _MAX_POINTS)
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
