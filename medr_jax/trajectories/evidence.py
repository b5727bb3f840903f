"""What a trajectory's agent was shown, and by which document."""

from collections.abc import Iterator

from medr_jax.types import Hit, Status, Trajectory


def hit_text(hit: Hit) -> str:
    """All of a hit that the agent saw."""
    return f"{hit.title} : {hit.snippet}"


def seen(trajectory: Trajectory) -> Iterator[tuple[str, str]]:
    """(document id, text) of everything that the tools showed, in order.

    A result without hits (a document that was read) belongs to the document that the call
    named: its ``doc_id`` argument, or the hit with that label.
    """
    labels: dict[str, str] = {}
    for turn in trajectory.turns:
        for call, result in zip(turn.calls, turn.results, strict=False):
            if result.status is not Status.OK:
                continue
            for hit in result.hits:
                labels[str(hit.label)] = hit.doc_id
                yield hit.doc_id, hit_text(hit)
            wanted = str(call.arguments.get("doc_id", ""))
            if wanted and result.text:
                yield labels.get(wanted, wanted), result.text


def texts(trajectory: Trajectory) -> Iterator[str]:
    """Every piece of text that a model trained on the trajectory reads or writes."""
    yield trajectory.question.text
    for turn in trajectory.turns:
        yield turn.thought
        for call in turn.calls:
            yield from (str(value) for value in call.arguments.values())
        for result in turn.results:
            yield from map(hit_text, result.hits)
            if not result.hits:
                yield result.text
        if turn.answer is not None:
            yield turn.answer.text
