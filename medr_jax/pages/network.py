"""A small network as a drawing: positions come from outside, in the unit square."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, _MARGIN = 640, 420, 34
_MAX_LABEL = 26
_CHAR, _LINE = 6.2, 13  # of a label, in the drawing's units
_SHIFTS = (-12, 22, -26, 36, -40, 50)  # of a label from its dot, tried in this order


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeSpec:
    """An entity with its place; ``role``: clue, entity, answer, or "" for the surroundings."""

    name: str
    kind: str
    x: float
    y: float
    role: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkSpec:
    """A relation between two nodes, by their numbers."""

    source: int
    target: int
    relation: str
    on_chain: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    """A drawn node; ``label`` is cut, ``title`` is whole and shown on hovering."""

    x: float
    y: float
    label: str
    label_x: float  # its middle
    label_y: float
    title: str
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A drawn link."""

    x1: float
    y1: float
    x2: float
    y2: float
    title: str
    on_chain: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """Dots and lines; ``text`` says the same in words."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    text: str
    width: int = WIDTH
    height: int = HEIGHT


def network(nodes: Sequence[NodeSpec], links: Sequence[LinkSpec]) -> Network:
    """The drawing; lines of the chain come last, so that they lie on top."""
    places = [
        (
            round(_MARGIN + node.x * (WIDTH - 2 * _MARGIN), 1),
            round(_MARGIN + node.y * (HEIGHT - 2 * _MARGIN), 1),
        )
        for node in nodes
    ]
    labels = [_cut(node.name) if node.role else "" for node in nodes]
    dots = [
        Dot(
            x=x,
            y=y,
            label=label,
            label_x=label_x,
            label_y=label_y,
            title=f"{node.name} ({node.kind})",
            role=node.role,
        )
        for node, (x, y), label, (label_x, label_y) in zip(
            nodes, places, labels, _label_places(places, labels), strict=True
        )
    ]
    lines = [
        Line(
            x1=places[link.source][0],
            y1=places[link.source][1],
            x2=places[link.target][0],
            y2=places[link.target][1],
            title=f"{nodes[link.source].name} {link.relation} {nodes[link.target].name}",
            on_chain=link.on_chain,
        )
        for link in sorted(links, key=lambda link: link.on_chain)
    ]
    on_chain = [line.title for line in lines if line.on_chain]
    text = f"{len(nodes)} entities and {len(links)} relations. " + "; ".join(on_chain)
    return Network(dots=tuple(dots), lines=tuple(lines), text=text)


def _label_places(
    places: Sequence[tuple[float, float]], labels: Sequence[str]
) -> list[tuple[float, float]]:
    """Where labels stand: inside the frame, and apart from those before them where that is near."""
    found: list[tuple[float, float]] = []
    taken: list[tuple[float, float, float]] = []  # middle, half a width, baseline
    for (x, y), label in zip(places, labels, strict=True):
        half = len(label) * _CHAR / 2
        middle = min(max(x, half), WIDTH - half)
        base = next(
            (
                y + shift
                for shift in _SHIFTS
                if _LINE < y + shift < HEIGHT
                and all(
                    abs(middle - other) >= half + width or abs(y + shift - at) >= _LINE
                    for other, width, at in taken
                )
            ),
            y + _SHIFTS[0],
        )
        if label:
            taken.append((middle, half, base))
        found.append((round(middle, 1), round(base, 1)))
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"
