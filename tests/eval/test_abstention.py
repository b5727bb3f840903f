"""Risk and coverage by hand, beside policies that always or never abstain."""

import msgspec

from medr_jax.eval import metrics
from medr_jax.eval.abstention import risk_coverage
from medr_jax.types import Status


def results(world, *rollouts):
    for answer, answerable, status in rollouts:
        question = world.question()
        if not answerable:
            question = msgspec.structs.replace(question, answer="")
        turns = (world.search("x", "D1"), world.answer(answer, "D1"))
        if answer is None:
            turns = turns[:1]
        yield metrics.grade(
            "model",
            world.trajectory(*turns, question=question, status=status),
            names=world.names,
            document_text=world.document_text,
        )


def test_shares_by_hand(world):
    ok = Status.OK
    found = risk_coverage(
        list(
            results(
                world,
                ("stiff skin syndrome", True, ok),  # right
                ("marfan syndrome", True, ok),  # wrong
                ("unknown", True, ok),  # abstains where there is an answer
                ("Unknown", False, ok),  # abstains where there is none: right
                ("marfan syndrome", False, ok),  # answers where there is none: wrong
                (None, True, Status.TRUNCATED),  # says nothing: neither answered nor right
                ("stiff skin syndrome", True, Status.INFRA_ERROR),  # says nothing about the agent
            )
        ),
        ["unknown"],
    )
    values = {name: (round(cell.value, 4), cell.n) for name, cell in found.items()}
    assert values == {
        "coverage": (0.5, 6),
        "risk": (0.6667, 3),
        "score": (0.3333, 6),
        "always_abstain": (0.3333, 6),
        "never_abstain": (0.1667, 6),
    }
