"""What a person sees while stages run: one line per stage, a bar for what takes long."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import rich.console
import rich.progress

T = TypeVar("T")

_console = rich.console.Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One plain line; markup in ``text`` is shown, not interpreted."""
    _console.print(text, markup=False, soft_wrap=True)


def error(text: str) -> None:
    """A line that says what went wrong and what to do."""
    _console.print(f"error: {text}", style="bold red", markup=False, soft_wrap=True)


def facts(values: Mapping[str, object]) -> None:
    """One indented line a value, the values aligned."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        say(f"  {name:<{width}}  {_number(value)}")


def _progress() -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.TextColumn("  {task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
        rich.progress.TextColumn("{task.fields[note]}"),
        console=_console,
        transient=True,
        disable=not _console.is_terminal,  # in a file a bar would only leave blank lines
    )


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """``items`` behind a progress bar that vanishes at the end."""
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    with bar(description, total) as advance:
        for item in items:
            yield item
            advance(1)


@contextlib.contextmanager
def bar(description: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """A bar to advance by hand: yields ``advance(steps, note="")``."""
    with _progress() as progress:
        task = progress.add_task(description, total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            progress.update(task, advance=steps, note=note)

        yield advance


@contextlib.contextmanager
def stage(name: str) -> Iterator[dict[str, object]]:
    """Times a stage; yields a dict, and prints it with the seconds when the stage ends."""
    start = time.perf_counter()
    shown: dict[str, object] = {}
    yield shown
    seconds = time.perf_counter() - start
    facts = "  ".join(f"{key} {_number(value)}" for key, value in shown.items())
    say(f"{name:<12} {seconds:7.1f} s  {facts}")


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
