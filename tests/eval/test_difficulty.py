"""The ladder of solvers, against a search tool of a few fixed documents."""

import msgspec
import pytest

from medr_jax.agent.drivers import run_sequential
from medr_jax.agent.loop import AgentLimits, text_episode
from medr_jax.eval import baselines, difficulty, formats, solvers
from medr_jax.eval.metrics import Result
from medr_jax.types import Answer, Hit, Status, ToolResult, Turn

# "Lens opacity" belongs to two diseases, "Rash" to another pair: only D2 has both.
DOCUMENTS = {
    hit.doc_id: hit
    for hit in (
        Hit(
            doc_id="P1",
            title="Lens opacity",
            kind="phenotype",
            snippet="Definition: Loss of clarity.",
        ),
        Hit(doc_id="P2", title="Rash", kind="phenotype", snippet="Definition: Red skin."),
        Hit(
            doc_id="D1",
            title="Alpha syndrome",
            kind="disease",
            snippet="Associated genes: AAA1; BBB2. Eye: Lens opacity.",
        ),
        Hit(
            doc_id="D2",
            title="Beta syndrome",
            kind="disease",
            snippet="Associated genes: CCC3. Eye: Lens opacity. Skin: Rash.",
        ),
        Hit(
            doc_id="G3",
            title="CCC3",
            kind="gene",
            snippet="Associated diseases: Beta syndrome; Gamma disease.",
        ),
        Hit(
            doc_id="D3",
            title="Gamma disease",
            kind="disease",
            snippet="Inheritance: Autosomal dominant inheritance. Eye: Tremor.",
        ),
    )
}


class Search:
    """Hits by hand: ``ranked`` maps a query to ids; other queries match words of the text."""

    def __init__(self, ranked=(), num_hits=2):
        self.ranked, self.num_hits, self.queries = dict(ranked), num_hits, []

    def call_many(self, calls):
        return [self.call(call) for call in calls]

    def call(self, call):
        if call.name == "read":
            hit = DOCUMENTS[call.arguments["doc_id"]]
            return ToolResult(status=Status.OK, hits=(hit,), call_id=call.call_id)
        query, kind = call.arguments["query"], call.arguments.get("kind")
        self.queries.append(query)
        if query in self.ranked:
            hits = [DOCUMENTS[one] for one in self.ranked[query]]
        else:
            words = set(query.lower().replace(",", "").split())

            def common(hit):
                text = f"{hit.title} {hit.snippet}".lower()
                return len(words & set(text.replace(".", " ").replace(";", " ").split()))

            hits = sorted(DOCUMENTS.values(), key=common, reverse=True)
            hits = [hit for hit in hits if common(hit)]
        hits = [hit for hit in hits if kind in (None, hit.kind)][: self.num_hits]
        return ToolResult(status=Status.OK, hits=tuple(hits), text="" if hits else "no results")


def ask(world, policy, text, tools, max_turns=solvers.MAX_TURNS):
    question = world.question(text=text)
    episode = text_episode(question, AgentLimits(max_turns=max_turns), policy="solver")
    return run_sequential(episode, policy(question), tools)


GENE = 'Which gene is associated with the disease annotated with "Lens opacity" and "Rash"?'
FAR = (
    'Exactly one disease is annotated with "Lens opacity" and "Rash". That disease is associated '
    "with exactly one gene. Exactly one other disease is associated with that gene. Which mode of "
    "inheritance is annotated for that second disease?"
)
WRONG_FIRST = {
    "Lens opacity Rash": ["D1", "D2"],
    "Lens opacity, Rash": ["D1", "D2"],
}


def test_the_plain_walk_takes_the_wrong_disease_and_the_others_do_not(world):
    assert ask(world, baselines.heuristic, GENE, Search(WRONG_FIRST)).answer.text == "AAA1"
    for policy in (solvers.two_shot, solvers.chain_blind):
        assert ask(world, policy, GENE, Search(WRONG_FIRST)).answer.text == "CCC3"


def test_two_shot_uses_what_its_hits_show_and_searches_twice_at_most(world):
    tools = Search(WRONG_FIRST)
    assert ask(world, solvers.two_shot, GENE, tools).answer.text == "CCC3"
    assert len(tools.queries) == 1  # the first hits list the gene
    tools = Search(WRONG_FIRST)
    rollout = ask(world, solvers.two_shot, FAR, tools)
    assert len(tools.queries) == 2
    assert rollout.answer.text != "Autosomal dominant inheritance"  # it would take a third


def test_without_limit_the_far_answer_is_found(world):
    tools = Search(WRONG_FIRST)
    rollout = ask(world, solvers.chain_blind, FAR, tools)
    assert rollout.answer.text == "Autosomal dominant inheritance"
    assert rollout.answer.citations == ("D3",)
    assert len(tools.queries) == len(set(tools.queries)) > 2  # none is made twice


def test_it_goes_back_when_a_step_is_not_unique(world, monkeypatch):
    # Neither hit states both clues, so D1 is tried first; its two genes are no answer.
    thin = dict(DOCUMENTS)
    for doc_id, genes in (("D1", "AAA1; BBB2"), ("D2", "CCC3")):
        thin[doc_id] = Hit(
            doc_id=doc_id,
            title=DOCUMENTS[doc_id].title,
            kind="disease",
            snippet=f"Associated genes: {genes}.",
        )
    monkeypatch.setattr(f"{__name__}.DOCUMENTS", thin)
    assert ask(world, solvers.chain_blind, GENE, Search(WRONG_FIRST)).answer.text == "CCC3"


@pytest.mark.parametrize("text", [GENE, FAR, "Who?", ""])
@pytest.mark.parametrize("policy", [solvers.two_shot, solvers.chain_blind])
def test_without_hits_an_answer_still_comes(world, text, policy):
    rollout = ask(world, policy, text, Search({}, num_hits=0))
    assert rollout.status is Status.OK and rollout.answer.text == "unknown"


def test_the_ladder_measures_every_rung(world):
    near = world.question("near", num_hops=2, text=GENE)
    far = world.question("far", num_hops=3, text=FAR)
    answers = {"near": "CCC3", "far": "Autosomal dominant inheritance"}
    questions = [
        msgspec.structs.replace(one, answer=answers[one.question_id], answer_aliases=())
        for one in (near, far)
    ]
    tools = Search(WRONG_FIRST)
    measured = difficulty.measure(
        questions,
        difficulty.SOLVERS,
        tools,
        training=questions,
        others={"model": {"far": 0.25}},
    )
    assert [one.solved for one in measured] == [
        {"majority": 1.0, "one_shot": 1.0, "two_shot": 1.0, "chain_blind": 1.0},
        {"majority": 1.0, "one_shot": 0.0, "two_shot": 0.0, "chain_blind": 1.0, "model": 0.25},
    ]
    by_hops, _, hard = difficulty.tables(measured)
    assert by_hops.columns == ("2 hops", "3 hops", "all")
    model = next(row for row in by_hops.rows if row.label == "model")
    assert model.cells[0] is None and model.cells[1].value == 0.25  # not asked is not zero
    left, solved = hard.rows
    assert [cell.value for cell in left.cells] == [0.0, 1.0, 0.5]
    assert solved.cells[0].value is None and solved.cells[2].value == 1.0
    assert "not run" in formats.to_markdown(by_hops)
    with pytest.raises(ValueError, match=r"solvers=\['three_shot'\]"):
        difficulty.measure(questions, ["three_shot"], tools, training=questions, others={})


def test_tries_that_failed_on_our_side_do_not_count(world):
    def result(correct, status=Status.OK):
        row = world.trajectory(Turn(answer=Answer(text="x")), status=status)
        return Result(
            agent="endpoint", trajectory=row, correct=correct, supported=False, num_citations=0,
            num_supporting=0, attempted_calls=0, valid_calls=0, num_queries=0, num_next_entity=0,
        )  # fmt: skip

    tries = [result(True), result(False), result(False, Status.INFRA_ERROR)]
    assert difficulty.rates(tries) == {"q1": 0.5}
