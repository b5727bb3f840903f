"""A tokenizer of bytes, an engine that plays a script, and a question to ask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from medr_jax.agent.drivers import run_sequential
from medr_jax.agent.loop import AgentLimits, Sampled, text_episode
from medr_jax.tokens.ledger import Ledger
from medr_jax.tokens.protocol import ParsedTurn, get_protocol
from medr_jax.tokens.tokenizer import NUM_BYTES, Tokenizer, TokenizerConfig, train_tokenizer
from medr_jax.types import Chain, Hit, Kind, Question, Status, ToolCall, ToolResult, Trajectory

CALLS = (
    ToolCall(name="search", arguments={"query": "Marfan's “syndrome”: 14/15", "kind": "disease"}),
    ToolCall(name="search", arguments={"query": "naïve É"}),
)
TURNS = (
    ParsedTurn(thought="Two searches at once.", calls=CALLS),
    ParsedTurn(calls=CALLS[:1]),
    ParsedTurn(thought="The first result says it.", answer_text="FBN1", cited_labels=(1,)),
)
"""A conversation with every kind of turn; its text holds quotes, digits and accents."""


def byte_tokenizer(protocol_name: str = "compact", normalization: str = "") -> Tokenizer:
    """One token a byte and the protocol's control tokens; no training text needed."""
    if not normalization:
        normalization = "spaced" if protocol_name == "compact" else "none"
    config = TokenizerConfig(
        vocab_size=NUM_BYTES + 16, normalization=normalization, protocol=protocol_name
    )
    return train_tokenizer([], config, get_protocol(protocol_name).control_tokens)


def make_question(text: str = "which gene ?", **changes) -> Question:
    """A question with an answer and no chain."""
    settings = {
        "question_id": "q",
        "chain": Chain(clues=(), hops=(), seed_id="MONDO:1"),
        "num_hops": 1,
        "answer": "FBN1",
        "answer_id": "GENE:FBN1",
        "answer_kind": Kind.GENE,
    }
    return Question(text=text, **{**settings, **changes})


def converse(*hits: Hit) -> Trajectory:
    """The trajectory of ``TURNS`` when every call finds ``hits``."""

    class Tools:
        def call_many(self, calls):
            return [ToolResult(status=Status.OK, hits=hits) for _ in calls]

    episode = text_episode(make_question("Which gene?"), AgentLimits())
    return run_sequential(episode, lambda request: TURNS[len(request.turns)], Tools())


def completion_ids(turn: ParsedTurn, tokenizer: Tokenizer, protocol_name: str) -> list[int]:
    """What a model would have to sample to say ``turn``."""
    protocol = get_protocol(protocol_name)
    return Ledger(tokenizer, protocol).encode(protocol.completion(turn))[0]


@dataclass(slots=True)
class _Slot:
    rollout_id: str
    history: list[int] = field(default_factory=list)
    pending: list[int] | None = None
    sampled: list[int] = field(default_factory=list)
    max_tokens: int = 0
    status: Status = Status.OK


class ScriptedEngine:
    """Slots that emit ``script(rollout_id, turn)``, ``chunk_steps`` tokens a step.

    A script entry longer than the request's ``max_tokens`` ends as TRUNCATED; ``None`` ends as
    INFRA_ERROR. ``histories[rollout_id]`` is all that a rollout's cache would hold.
    """

    def __init__(
        self,
        script: Callable[[str, int], Sequence[int] | None],
        *,
        num_slots: int = 2,
        chunk_steps: int = 3,
    ):
        self.num_slots = num_slots
        self.num_steps = 0
        self.policy_version = 0
        self.histories: dict[str, list[int]] = {}
        self._script = script
        self._chunk_steps = chunk_steps
        self._slots: dict[int, _Slot] = {}

    @property
    def num_free(self) -> int:
        """Slots not in use."""
        return self.num_slots - len(self._slots)

    def open(self, rollout_id: str) -> int:
        """Takes the lowest free slot."""
        assert self.num_free, "no free slot"
        handle = min(set(range(self.num_slots)) - self._slots.keys())
        self._slots[handle] = _Slot(rollout_id)
        return handle

    def extend(self, handle: int, new_ids: Sequence[int], max_tokens: int, turn: int) -> None:
        """Reads ``new_ids`` and starts on the script's completion of this turn."""
        slot = self._slots[handle]
        assert slot.pending is None, "the last completion was not collected"
        assert max_tokens >= 1 and (new_ids or slot.history)
        script = self._script(slot.rollout_id, turn)
        slot.history += new_ids
        slot.pending, slot.sampled = list(script or ()), []
        slot.max_tokens = max_tokens
        slot.status = Status.INFRA_ERROR if script is None else Status.OK

    def largest(self, number: int) -> int:
        """There is one process."""
        return number

    def step(self) -> None:
        """Emits tokens in every slot that has some to emit."""
        self.num_steps += 1
        for slot in self._slots.values():
            if slot.pending is None:
                continue
            room = slot.max_tokens - len(slot.sampled)
            count = min(self._chunk_steps, room)
            slot.sampled += slot.pending[:count]
            slot.pending = slot.pending[count:]

    def result(self, handle: int) -> Sampled | None:
        """The completion once it is whole or cut off; log-probability -0.5 for every token."""
        slot = self._slots[handle]
        cut = bool(slot.pending) and len(slot.sampled) == slot.max_tokens
        if slot.pending and not cut:
            return None
        slot.history += slot.sampled
        status = Status.TRUNCATED if cut else slot.status
        slot.pending = None
        return Sampled(slot.sampled, [-0.5] * len(slot.sampled), status)

    def close(self, handle: int) -> None:
        """Frees the slot and keeps its history."""
        slot = self._slots.pop(handle)
        self.histories[slot.rollout_id] = slot.history
