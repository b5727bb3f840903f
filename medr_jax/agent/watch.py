"""Looking on while an episode runs."""

from collections.abc import Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def watched(
    episode: Generator[Any, Any, T], see: Callable[[Any, Any], object]
) -> Generator[Any, Any, T]:
    """The same episode; ``see(request, reply)`` is called with each exchange as it happens."""
    try:
        request = next(episode)
        while True:
            reply = yield request
            see(request, reply)
            request = episode.send(reply)
    except StopIteration as end:
        return end.value
