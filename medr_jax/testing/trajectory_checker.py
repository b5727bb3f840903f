"""An independent checker of trajectories, written from the definitions (docs/method.md).

It knows a trajectory by its own records and the names of entities, and uses nothing of
``medr_jax.trajectories`` or ``medr_jax.grading``. ``violations`` returns what is wrong with a
trajectory; an accepted one has none. A flaw counts as wrong where its label is missing, and a
label where its flaw is.
"""

from medr_jax.testing.question_checker import mentions, plain

OK = "ok"
FAILURE, REPEAT, PREMATURE = "tool_failure", "repeated_search", "premature_answer"
WRONG_TURN, SWITCH = "wrong_turn", "tool_switch"


def violations(names, trajectory):
    """What is wrong with ``trajectory``; ``names(entity_id)`` gives an entity's names."""
    labels = [text.rpartition("@")[::2] for text in trajectory.flaws]
    flaws = {(kind, int(turn)) for kind, turn in labels}
    found = [*_form(trajectory, flaws), *_turns(trajectory)]
    seen = _seen(trajectory)
    found += _flaws(trajectory, seen, flaws)
    if not found:
        found += _answer(names, trajectory, seen, any(kind == PREMATURE for kind, _ in flaws))
    return found


def _form(trajectory, flaws):
    if trajectory.form not in ("guided", "exploration"):
        yield f"unknown form {trajectory.form}"
    if trajectory.form == "guided" and flaws:
        yield "a guided trajectory with flaws"
    if len(flaws) != len(trajectory.flaws) or any(
        not 0 <= turn < len(trajectory.turns) for _, turn in flaws
    ):
        yield "a label twice, or of no turn"


def _turns(trajectory):
    *before, last = trajectory.turns
    if last.answer is None or last.calls or any(turn.answer for turn in before):
        yield "the answer is not the last turn"
    for turn in before:
        if not turn.calls or len(turn.calls) != len(turn.results):
            yield "a turn without a call, or a call without a result"
        if any(not result.hits and not result.text for result in turn.results):
            yield "a result that says nothing"


def _seen(trajectory):
    """Per turn: label -> hit of everything shown before it."""
    shown, before = {}, []
    for turn in trajectory.turns:
        before.append(dict(shown))
        for result in turn.results:
            shown |= {hit.label: hit for hit in result.hits}
    return before


def _flaws(trajectory, seen, flaws):
    """Labels without their flaw, and flaws without a label.

    A call that is made again after a failure belongs to the turn that failed first: there it is
    labelled. A search for a clue may be the way or a wrong turn, so either is accepted.
    """
    question = trajectory.question
    hops = question.chain.hops
    chain = {question.answer_id, *(one for hop in hops for one in (hop.source_id, hop.target_id))}
    clues = {clue.entity_id for clue in question.chain.clues}
    happened, possible, made = set(), set(), []
    first, failed = 0, False
    for number, turn in enumerate(trajectory.turns):
        first = first if failed else number
        failed = any(result.status != OK for result in turn.results)
        calls = [(call.name, sorted(call.arguments.items())) for call in turn.calls]
        if failed:
            happened.add((FAILURE, number))
        if any(call in made for call in calls):
            happened.add((REPEAT, first))
        made += [] if failed else calls
        for call in turn.calls:
            happened |= {(kind, first) for kind in _aside(call, seen[number], chain | clues)}
            possible |= {(kind, first) for kind in _aside(call, seen[number], chain)}
    labelled = {flaw for flaw in flaws if flaw[0] != PREMATURE}
    for kind, turn in sorted(happened - labelled):
        yield f"turn {turn}: {kind} without a label"
    for kind, turn in sorted(labelled - happened - possible):
        yield f"turn {turn}: labelled {kind}, which is not there"


def _aside(call, shown, needed):
    """What the call is where it leaves the way: a search or a read of another hit."""
    if call.name == "read":
        hit = shown.get(int(call.arguments["doc_id"]))
        if hit is None:
            yield "read of a hit that was not shown"
        elif hit.doc_id not in needed:
            yield SWITCH
    elif call.name == "search":
        query = plain(str(call.arguments["query"]))
        titles = {plain(hit.title) for hit in shown.values() if hit.doc_id in needed}
        others = {plain(hit.title) for hit in shown.values() if hit.doc_id not in needed}
        if query in others - titles:
            yield WRONG_TURN


def _answer(names, trajectory, seen, is_premature):
    question, answer = trajectory.question, trajectory.turns[-1].answer
    accepted = {plain(name) for name in (question.answer, *names(question.answer_id))}
    if (plain(answer.text) in accepted) is is_premature:
        yield "a wrong answer" if not is_premature else "an early answer that is right"
    shown = {hit.doc_id for hit in seen[-1].values()}
    if not answer.citations or not set(answer.citations) <= shown:
        yield "no citation, or one that was not shown"
    if is_premature:
        return
    texts = [
        f"{hit.title} | {hit.snippet}"
        for turn in trajectory.turns
        for result in turn.results
        for hit in result.hits
        if hit.doc_id in answer.citations
    ]
    if not any(mentions(text, name) for text in texts for name in accepted):
        yield "no cited document names the answer"
