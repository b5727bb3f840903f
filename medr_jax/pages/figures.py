"""The graph of one question, laid out top to bottom so that it fits a phone."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 440
_RAIL = 10  # x of the line that ties the clues to the first entity
_INDENT = 26  # x of the boxes on the chain
_BOX = 206
_SIDE_X = 268
_SIDE = WIDTH - _SIDE_X - 2
_LINE = 16
_SIDE_LINE = 13
_PAD = 9
_GAP = 46  # between entities of the chain: room for the arrow and its label


@dataclass(frozen=True, kw_only=True, slots=True)
class ClueSpec:
    """A clue as the question says it."""

    relation: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StepSpec:
    """An entity of the chain, how it is reached, and what else hangs on it."""

    name: str
    kind: str
    relation: str = ""  # of the arrow that leads here, "" for the first entity
    neighbours: Sequence[str] = ()  # distractors: reached by the same kind of arrow or near
    num_more: int = 0  # neighbours that are not drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A drawn box with its caption and lines of text."""

    x: int
    y: int
    width: int
    height: int
    caption: str
    lines: tuple[str, ...]
    role: str  # clue, entity, answer, neighbour
    line_height: int

    @property
    def middle(self) -> int:
        """y of the box's centre."""
        return self.y + self.height // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrow:
    """A straight arrow with a label beside it."""

    x1: int
    y1: int
    x2: int
    y2: int
    label: str
    role: str  # hop, clue, side


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Boxes and arrows; ``text`` says the same in words."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    height: int
    text: str
    width: int = WIDTH


def chain_figure(clues: Sequence[ClueSpec], steps: Sequence[StepSpec]) -> Figure:
    """Clues above, the chain below them, distractor neighbours at the right of each entity."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    y = 2
    for clue in clues:
        box = _box(_INDENT, y, _BOX + 60, clue.relation, clue.text, "clue")
        boxes.append(box)
        arrows.append(_line(_RAIL, box.middle, _INDENT, box.middle))
        y += box.height + 8
    rail_top = boxes[0].middle if boxes else None
    y += 14 if clues else 0
    previous: Box | None = None
    for index, step in enumerate(steps):
        role = "answer" if index == len(steps) - 1 else "entity"
        box = _box(_INDENT, y, _BOX, step.kind, step.name, role)
        side = _neighbours(step, box)
        boxes += [box, *side]
        arrows += [_line(box.x + box.width, box.middle, other.x, other.middle) for other in side]
        if previous is not None:
            arrows.append(_hop(previous, box, step.relation))
        elif rail_top is not None:
            arrows.append(_line(_RAIL, rail_top, _RAIL, box.middle))
            arrows.append(
                Arrow(x1=_RAIL, y1=box.middle, x2=_INDENT, y2=box.middle, label="", role="hop")
            )
        previous = box
        bottom = max(item.y + item.height for item in (box, *side))
        y = max(bottom + 12, box.y + box.height + _GAP)
    height = max((box.y + box.height for box in boxes), default=0) + 4
    return Figure(
        boxes=tuple(boxes), arrows=tuple(arrows), height=height, text=_words(clues, steps)
    )


def _box(x: int, y: int, width: int, caption: str, text: str, role: str) -> Box:
    lines = tuple(textwrap.wrap(text, width // 8, max_lines=4, placeholder=" …")) or ("",)
    height = 2 * _PAD + 12 + _LINE * len(lines)
    return Box(
        x=x,
        y=y,
        width=width,
        height=height,
        caption=caption,
        lines=lines,
        role=role,
        line_height=_LINE,
    )


def _neighbours(step: StepSpec, box: Box) -> list[Box]:
    texts = list(step.neighbours)
    if step.num_more:
        texts.append(f"and {step.num_more:,} more")
    found: list[Box] = []
    y = box.y
    for text in texts:
        lines = tuple(textwrap.wrap(text, _SIDE // 6, max_lines=3, placeholder=" …")) or ("",)
        height = 10 + _SIDE_LINE * len(lines)
        found.append(
            Box(
                x=_SIDE_X,
                y=y,
                width=_SIDE,
                height=height,
                caption="",
                lines=lines,
                role="neighbour",
                line_height=_SIDE_LINE,
            )
        )
        y += height + 6
    return found


def _line(x1: int, y1: int, x2: int, y2: int) -> Arrow:
    return Arrow(x1=x1, y1=y1, x2=x2, y2=y2, label="", role="side")


def _hop(start: Box, end: Box, label: str) -> Arrow:
    x = start.x + 30
    return Arrow(x1=x, y1=start.y + start.height, x2=x, y2=end.y, label=label, role="hop")


def _words(clues: Sequence[ClueSpec], steps: Sequence[StepSpec]) -> str:
    told = "; ".join(f"{clue.relation}: {clue.text}" for clue in clues)
    walked = " ".join(
        f"→ {step.relation} → {step.name}" if step.relation else step.name for step in steps
    )
    return f"Clues: {told}. Chain: {walked}." if told else f"Chain: {walked}."
