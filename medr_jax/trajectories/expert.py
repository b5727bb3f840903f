"""The scripted expert: follows a chain that it knows, but only by what the live tools return.

It asks for the clues, finds the next entity among the hits, asks for the next one, and moves on
only when a text it was shown states the step. When a snippet is not enough it reads the
document, when a query fails it tries other words, and when nothing shows the step it gives up.
"""

import random
from collections.abc import Generator

from medr_jax.agent.loop import NextTurn
from medr_jax.grading import match
from medr_jax.questions.hops import Form, form_of
from medr_jax.tokens.protocol import ParsedTurn
from medr_jax.trajectories.briefing import Briefing
from medr_jax.trajectories.expert_config import ExpertConfig
from medr_jax.trajectories.notes import Notes
from medr_jax.trajectories.wording import Wording, field_of
from medr_jax.types import Clue, Hop, Kind, Question, Relation, Status, ToolCall, ToolResult

_NAMED = {Kind.GENE: "open_gene"}
Script = Generator[ParsedTurn, tuple[ToolResult, ...], None]


class EvidenceMissing(Exception):
    """The tools never showed a step of the chain; the message is the reason to count."""


class Expert:
    """A text policy for one episode (``medr_jax.agent.drivers.TextPolicy``).

    Raises ``EvidenceMissing`` out of the call when a step cannot be shown.
    """

    def __init__(
        self, question: Question, briefing: Briefing, config: ExpertConfig, *, seed: int = 0
    ) -> None:
        self._question = question
        self._briefing = briefing
        self._config = config
        self._rng = random.Random(f"{seed}:{question.question_id}")
        self._wording = Wording(config.thoughts, self._rng)
        self._notes = Notes()
        self._said = ""  # what the next thought begins with
        self._found_id = ""  # whom that is about
        self._script = self._act()

    def __call__(self, request: NextTurn) -> ParsedTurn:
        """The next turn, given what the tools said to the last one."""
        if request.turns:
            return self._script.send(request.turns[-1].results)
        return next(self._script)

    def _act(self) -> Script:
        evidence_id = yield from self._start()
        hops = self._question.chain.hops
        if self._question.is_unanswerable:
            return (yield from self._abstain(hops[-1]))
        for number, hop in enumerate(hops):
            evidence_id = yield from self._hop(hop, is_last=number == len(hops) - 1)
        cited = [evidence_id]
        if self._rng.random() < self._config.read_before_answer:
            cited += yield from self._confirm(evidence_id, self._question.answer_id)
        labels = dict.fromkeys(map(self._notes.label, cited))
        yield ParsedTurn(
            thought=self._thought(self._saying("answer", evidence_id)),
            answer_text=self._question.answer,
            cited_labels=tuple(labels),
        )

    def _abstain(self, hop: Hop) -> Script:
        """Reads the document where the answer would stand, and says that it is not there."""
        doc_id, field, false_clue = hop.source_id, field_of(hop, ""), self._false_clue()
        if self._config.may_read and false_clue is None:
            thought = self._thought(self._wording.next_step(form_of(hop), field=field))
            yield from self._search(thought, f"{self._briefing.name(doc_id)} {field}")
        if not self._config.may_read or doc_id not in self._notes:
            raise EvidenceMissing("absence_not_shown")
        yield from self._open(doc_id, "read")
        names = self._briefing.names[false_clue.entity_id] if false_clue else [field]
        if self._notes.state(doc_id, names):
            raise EvidenceMissing("absence_not_shown")
        yield ParsedTurn(
            thought=self._thought(self._saying("unstated", doc_id)),
            answer_text=match.ABSTENTIONS[0],
            cited_labels=(self._notes.label(doc_id),),
        )

    def _false_clue(self) -> Clue | None:
        """The clue that the disease does not satisfy."""
        number = self._question.proof.get("false_clue")
        return self._question.chain.clues[number] if isinstance(number, int) else None

    # -- the first entity -------------------------------------------------------------------

    def _start(self) -> Script:
        """Finds the first entity; returns the document that shows it."""
        clues = self._question.chain.clues
        first_id = match.entity_ids(self._question.chain, self._question.answer_id)[0]
        if not clues:
            opening = _NAMED.get(self._briefing.kinds[first_id], "open_named")
            self._said = self._wording.say(opening, name=self._briefing.name(first_id))
            return first_id
        if clues[0].relation is Relation.IS_A:
            yield from self._look_up(clues[0], "open_definition", {})
        else:
            yield from self._find_by_clues(first_id, clues)
            self._found(first_id, first_id)
        return first_id

    def _find_by_clues(self, disease_id: str, clues: tuple[Clue, ...]) -> Script:
        names = self._briefing.names
        called = {clue.entity_id: clue.text for clue in clues}
        opening = "open_clue_definition"
        for clue in clues:
            if clue.text not in names[clue.entity_id]:
                yield from self._look_up(clue, opening, called)
                opening = "open_next_definition"
        first_kind = self._briefing.kinds[disease_id]
        opening = "open_clues" if first_kind is Kind.DISEASE else "open_facts"
        said, noun = self._wording.clues(called.values()), self._wording.noun(first_kind)
        told = self._wording.say(opening, clues=said, noun=noun)
        kind = first_kind.value if self._config.search_diseases_only else ""
        yield from self._search(self._thought(told), ", ".join(called.values()), kind)
        if (yield from self._shows_clues(disease_id, clues)):
            return
        renamed = [one for one in clues if called[one.entity_id] != names[one.entity_id][0]]
        if self._config.max_retries and (renamed or not kind):  # else it is the same query
            for clue in renamed:
                yield from self._rename(clue, called)
            thought = self._thought(self._wording.say("again" if renamed else "retry"))
            yield from self._search(thought, ", ".join(called.values()), first_kind.value)
            if (yield from self._shows_clues(disease_id, clues)):
                return
        raise EvidenceMissing("clues_not_shown")

    def _rename(self, clue: Clue, called: dict[str, str]) -> Script:
        """Notes the name of a phenotype that the question calls by a synonym."""
        if not self._notes.state(clue.entity_id, [clue.text]):
            yield from self._look_up(clue, "open_clue_synonym", called)
            return
        name = called[clue.entity_id] = self._briefing.name(clue.entity_id)
        seen = self._wording.say("clue_seen", text=clue.text, name=name)
        self._said = f"{self._said} {seen}".strip()

    def _look_up(self, clue: Clue, opening: str, called: dict[str, str]) -> Script:
        """Finds the phenotype that a definition or synonym stands for; notes its name."""
        thought = self._thought(self._wording.say(opening, text=clue.text))
        for kind in (self._briefing.kinds[clue.entity_id].value, "")[
            : 1 + self._config.max_retries
        ]:
            yield from self._search(thought, clue.text, kind)
            if clue.entity_id in self._notes:
                called[clue.entity_id] = self._briefing.name(clue.entity_id)
                self._found(clue.entity_id, clue.entity_id)
                return
            thought = self._wording.say("retry")
        raise EvidenceMissing("definition_not_found")

    def _shows_clues(self, disease_id: str, clues: tuple[Clue, ...]) -> Script:
        """Whether the disease is among the hits with all clues stated, reading it if need be."""
        if disease_id not in self._notes:
            return False
        clues = tuple(clue for clue in clues if clue != self._false_clue())
        stated = [self._states(disease_id, clue.entity_id) for clue in clues]
        is_first = self._notes.first_disease() == disease_id
        if self._config.trust_first_disease and is_first and any(stated):
            return True
        if self._config.may_read and not all(stated):
            yield from self._open(disease_id, "read")
            stated = [self._states(disease_id, clue.entity_id) for clue in clues]
        return all(stated)

    # -- one hop ----------------------------------------------------------------------------

    def _hop(self, hop: Hop, *, is_last: bool) -> Script:
        """Finds the hop's target; returns the document that states it."""
        form = form_of(hop)
        branch = self._briefing.branches.get(hop.within_id, "")
        field = field_of(hop, branch)
        other = bool(self._left_out(hop))
        thought = self._thought(
            self._wording.next_step(form, is_other=other, branch=branch, field=field)
        )
        for query, kind in self._hop_queries(hop, form, field):
            yield from self._search(thought, query, kind)
            evidence_id = self._evidence(hop)
            if not evidence_id and self._config.may_read and hop.source_id in self._notes:
                yield from self._open(hop.source_id, "read")
                evidence_id = self._evidence(hop)
            if evidence_id:
                self._found(hop.target_id, evidence_id, field, self._left_out(hop))
                if not is_last and self._rng.random() < self._config.read_on_the_way:
                    yield from self._confirm(evidence_id, hop.target_id)
                return evidence_id
            thought = self._wording.say("retry")
        raise EvidenceMissing(f"{form}_not_shown")

    def _hop_queries(self, hop: Hop, form: Form, field: str) -> list[tuple[str, str]]:
        name, *synonyms = self._briefing.names[hop.source_id]
        asked = f"{name} {field}".strip()
        asked_of = hop.target_id if form is Form.PHENOTYPE_DISEASE else hop.source_id
        kind = self._briefing.kinds[asked_of]
        others = [(f"{synonym} {field}".strip(), "") for synonym in synonyms[:1]]
        return [(asked, ""), (asked, kind.value), *others][: 1 + self._config.max_retries]

    def _left_out(self, hop: Hop) -> str:
        """The entity of the target's kind that the chain came from, which is not asked for."""
        hops = self._question.chain.hops
        before = hops.index(hop) - 1
        previous_id = hops[before].source_id if before >= 0 else ""
        kinds = self._briefing.kinds
        return previous_id if previous_id and kinds[previous_id] is kinds[hop.target_id] else ""

    def _evidence(self, hop: Hop) -> str:
        """The shown document that states the hop: the source's, else the target's, else "".

        A count stands behind the target's name; of a set every member must be there.
        """
        source_id, names = hop.source_id, self._briefing.names
        if hop.count:
            needed = [[f"{names[hop.target_id][0]} {hop.count}"]]
        elif self._question.answer_set and hop == self._question.chain.hops[-1]:
            needed = [members[1:] for members in self._question.answer_set]
        else:
            ends = ((source_id, hop.target_id), (hop.target_id, source_id))
            return next((doc_id for doc_id, other in ends if self._states(doc_id, other)), "")
        return source_id if all(self._notes.state(source_id, one) for one in needed) else ""

    # -- tools and memory -------------------------------------------------------------------

    def _search(self, thought: str, query: str, kind: str = "") -> Script:
        words = query.split()[: self._config.max_query_words]
        arguments = {"query": " ".join(words)} | ({"kind": kind} if kind else {})
        (result,) = yield ParsedTurn(
            thought=thought, calls=(ToolCall(name="search", arguments=arguments),)
        )
        if result.status is not Status.OK:
            raise EvidenceMissing(f"search_{result.status}")
        self._notes.add_search(result)

    def _open(self, doc_id: str, why: str) -> Script:
        """Reads a document that was shown, once."""
        if self._notes.was_read(doc_id):
            return
        arguments = {"doc_id": str(self._notes.label(doc_id))}
        (result,) = yield ParsedTurn(
            thought=self._thought(self._saying(why, doc_id)),
            calls=(ToolCall(name="read", arguments=arguments),),
        )
        if result.status is not Status.OK:
            raise EvidenceMissing(f"read_{result.status}")
        self._notes.add_read(doc_id, result)

    def _confirm(self, evidence_id: str, found_id: str) -> Script:
        """Reads the evidence again in full; returns the document that this was, if any.

        A gene's document is no longer than its snippet: there the disease's own document, when
        it is among the hits, must name the gene.
        """
        doc_id = evidence_id
        if self._briefing.kinds[evidence_id] is Kind.GENE:
            doc_id = found_id
        if doc_id not in self._notes or self._notes.was_read(doc_id):
            return []
        yield from self._open(doc_id, "confirm")
        return [doc_id]

    def _states(self, doc_id: str, entity_id: str) -> bool:
        return self._notes.state(doc_id, self._briefing.names[entity_id])

    # -- thoughts ---------------------------------------------------------------------------

    def _found(self, entity_id: str, evidence_id: str, field: str = "", left_out: str = "") -> None:
        """Notes that the evidence names the entity, as its title or in a segment ``field``.

        An entity that is ``left_out`` but stands before it there is passed over aloud.
        """
        name = self._briefing.name(entity_id)
        if self._question.answer_set and entity_id == self._question.answer_id:
            name = self._question.answer
        passed = self._briefing.name(left_out) if left_out else ""
        self._said = self._wording.found(
            name,
            self._wording.noun(self._briefing.kinds[entity_id]),
            label=self._notes.label(evidence_id),
            field=field if evidence_id != entity_id else "",
            passed=passed if passed and self._notes.lists(evidence_id, passed, name) else "",
        )
        self._found_id = entity_id

    def _saying(self, what: str, doc_id: str) -> str:
        is_named = self._said and doc_id == self._found_id
        document = "its document" if is_named else f"the document of {self._briefing.name(doc_id)}"
        return self._wording.say(what, document=document)

    def _thought(self, then: str = "") -> str:
        """What was found last, then what comes now."""
        said, self._said = self._said, ""
        return f"{said} {then}".strip()
