import msgspec
import pytest

from medr_jax.agent.drivers import run_sequential
from medr_jax.agent.loop import AgentLimits, text_episode
from medr_jax.trajectories.briefing import Briefing
from medr_jax.trajectories.expert import EvidenceMissing, Expert
from medr_jax.trajectories.expert_config import ExpertConfig
from medr_jax.types import (
    Chain,
    Clue,
    Hit,
    Hop,
    Kind,
    Question,
    Relation,
    Status,
    ToolResult,
)

DISEASE = ("D:1", "Alpha syndrome", "disease")
OTHER = ("D:2", "Beta syndrome", "disease")
GENE = ("GENE:AB1", "AB1", "gene")
EYES = ("HP:1", "Wide eyes", "phenotype")

BRIEFING = Briefing(
    names={
        "D:1": ("Alpha syndrome", "Alpha disease"),
        "D:2": ("Beta syndrome",),
        "GENE:AB1": ("AB1",),
        "HP:1": ("Wide eyes", "Big eyes"),
        "HP:2": ("Flat feet",),
        "HP:3": ("Cataract",),
        "HP:9": ("Dominant inheritance",),
    },
    kinds={
        "D:1": Kind.DISEASE,
        "D:2": Kind.DISEASE,
        "GENE:AB1": Kind.GENE,
        "HP:1": Kind.PHENOTYPE,
        "HP:2": Kind.PHENOTYPE,
        "HP:3": Kind.PHENOTYPE,
        "HP:9": Kind.INHERITANCE,
    },
    branches={"HP:50": "Abnormality of the eye"},
)
SHORT = ExpertConfig(
    thoughts="short", may_read=False, read_on_the_way=0, read_before_answer=0, max_retries=0
)
FULL = ExpertConfig(read_on_the_way=0, read_before_answer=0)

TO_GENE = Hop(relation=Relation.ASSOCIATED_GENE, source_id="D:1", target_id="GENE:AB1")
TO_OTHER = Hop(
    relation=Relation.ASSOCIATED_GENE, source_id="GENE:AB1", target_id="D:2", inverse=True
)
TO_EYE = Hop(relation=Relation.HAS_PHENOTYPE, source_id="D:1", target_id="HP:3", within_id="HP:50")
TO_MODE = Hop(relation=Relation.INHERITED_AS, source_id="D:1", target_id="HP:9")


class StubTools:
    """Answers from a table: query, "kind|query" or "read id" -> hits or text. Keeps the calls."""

    def __init__(self, table, status=Status.OK):
        self.table = table
        self.status = status
        self.asked = []

    def call_many(self, calls):
        return [self._call(call) for call in calls]

    def _call(self, call):
        given = call.arguments
        asked = given.get("query") or f"read {given['doc_id']}"
        asked = f"{given['kind']}|{asked}" if given.get("kind") else asked
        self.asked.append(asked)
        found = self.table.get(asked, ())
        if isinstance(found, str):
            return ToolResult(status=self.status, text=found, call_id=call.call_id)
        hits = tuple(
            Hit(doc_id=doc_id, title=title, kind=kind, snippet=snippet)
            for (doc_id, title, kind), snippet in found
        )
        text = "" if hits else "no results"
        return ToolResult(status=self.status, hits=hits, text=text, call_id=call.call_id)


def clue(text, entity_id="HP:1", relation=Relation.HAS_PHENOTYPE):
    return Clue(relation=relation, entity_id=entity_id, text=text)


def question(clues, hops, answer_id):
    return Question(
        question_id="q1",
        text="...",
        chain=Chain(clues=tuple(clues), hops=tuple(hops), seed_id="D:1"),
        num_hops=len(hops) + bool(clues),
        answer=BRIEFING.name(answer_id),
        answer_id=answer_id,
        answer_kind=BRIEFING.kinds[answer_id],
    )


def run(asked, table, config=SHORT, seed=0, status=Status.OK):
    tools = StubTools(table, status)
    episode = text_episode(asked, AgentLimits(max_turns=20))
    trajectory = run_sequential(episode, Expert(asked, BRIEFING, config, seed=seed), tools)
    assert trajectory.status is Status.OK
    return trajectory, tools.asked


BOTH = (clue("Wide eyes"), clue("Flat feet", "HP:2"))
FOUND = [(EYES, "Is a: x."), (DISEASE, "Eyes: Wide eyes. Limbs: Flat feet (1/2).")]
GENES = [(DISEASE, "Associated genes: AB1.")]
DISEASES = [(GENE, "Associated diseases: Alpha syndrome; Beta syndrome."), (OTHER, "")]
THREE_HOPS = {
    "Wide eyes, Flat feet": FOUND,
    "Alpha syndrome associated genes": GENES,
    "AB1 associated diseases": DISEASES,
}


def test_one_call_per_hop_and_short_thoughts():
    asked = question(BOTH, (TO_GENE, TO_OTHER), "D:2")
    trajectory, queries = run(asked, THREE_HOPS)
    assert queries == list(THREE_HOPS)
    assert [turn.thought for turn in trajectory.turns] == [
        "find the disease",
        "2 disease Alpha syndrome. next its gene",
        "2 associated genes: AB1. next its other disease",
        "3 associated diseases: Alpha syndrome; Beta syndrome.",
    ]
    assert trajectory.answer.text == "Beta syndrome"
    assert trajectory.answer.citations == ("GENE:AB1",)  # whose snippet names it


def test_only_what_stands_before_the_answer_is_passed_over():
    listed = [(GENE, "Associated diseases: Beta syndrome; Alpha syndrome."), (OTHER, "")]
    asked = question(BOTH, (TO_GENE, TO_OTHER), "D:2")
    trajectory, _ = run(asked, THREE_HOPS | {"AB1 associated diseases": listed})
    assert trajectory.turns[-1].thought == "3 associated diseases: Beta syndrome."
    # A gene whose own text is cut off before it: the other disease's document says it.
    listed = [(GENE, "Associated diseases: Alpha syndrome; ..."), (OTHER, "Associated genes: AB1.")]
    trajectory, _ = run(asked, THREE_HOPS | {"AB1 associated diseases": listed})
    assert trajectory.turns[-1].thought == "4 disease Beta syndrome."


def test_a_question_without_hops_cites_the_disease_itself():
    trajectory, _ = run(question(BOTH, (), "D:1"), THREE_HOPS)
    assert (trajectory.answer.text, trajectory.answer.citations) == ("Alpha syndrome", ("D:1",))


def test_hops_are_asked_by_the_labels_of_the_documents():
    table = {
        "Wide eyes, Flat feet": FOUND,
        "Alpha syndrome abnormality of the eye": [(DISEASE, "Abnormality of the eye: Cataract.")],
        "Alpha syndrome inheritance": [(DISEASE, "Inheritance: Dominant inheritance.")],
    }
    _, queries = run(question(BOTH, (TO_EYE,), "HP:3"), table)
    assert queries[1] == "Alpha syndrome abnormality of the eye"
    _, queries = run(question(BOTH, (TO_MODE,), "HP:9"), table)
    assert queries[1] == "Alpha syndrome inheritance"


def test_a_gene_start_needs_no_search_for_the_gene():
    from_gene = msgspec.structs.replace(TO_OTHER, target_id="D:1")
    asked = question((), (from_gene,), "D:1")
    trajectory, queries = run(asked, {"AB1 associated diseases": DISEASES})
    assert queries == ["AB1 associated diseases"]
    assert trajectory.turns[0].thought == "the gene is AB1. next its disease"


def test_a_definition_is_looked_up_before_the_clues():
    clues = (clue("Eyes that are set far apart"), BOTH[1])
    table = THREE_HOPS | {"phenotype|Eyes that are set far apart": [(EYES, "Definition: Eyes ...")]}
    _, queries = run(question(clues, (), "D:1"), table, FULL)
    assert queries == ["phenotype|Eyes that are set far apart", "Wide eyes, Flat feet"]


def test_a_failed_query_is_put_in_other_words():
    clues = (clue("Big eyes"), BOTH[1])
    nothing = [(EYES, "Synonyms: Big eyes.")]
    table = {"Big eyes, Flat feet": nothing, "disease|Wide eyes, Flat feet": FOUND}
    trajectory, queries = run(question(clues, (), "D:1"), table, FULL)
    assert queries == ["Big eyes, Flat feet", "disease|Wide eyes, Flat feet"]
    assert '"Big eyes" is listed as Wide eyes' in trajectory.turns[1].thought
    # Where the hits do not tell the name, it is looked up.
    table |= {"Big eyes, Flat feet": [], "phenotype|Big eyes": nothing}
    _, queries = run(question(clues, (), "D:1"), table, FULL)
    assert queries == ["Big eyes, Flat feet", "phenotype|Big eyes", "disease|Wide eyes, Flat feet"]


def test_a_failed_hop_is_retried_with_a_kind_then_a_synonym():
    table = {
        "Wide eyes, Flat feet": FOUND,
        "Alpha disease associated genes": GENES,
        "read D:1": "nothing about it",
    }
    _, queries = run(question(BOTH, (TO_GENE,), "GENE:AB1"), table, FULL)
    assert queries[1:] == [
        "Alpha syndrome associated genes",
        "read D:1",  # once, although both queries fail
        "disease|Alpha syndrome associated genes",
        "Alpha disease associated genes",
    ]


def test_a_document_is_read_when_its_snippet_is_not_enough():
    table = {
        "Wide eyes, Flat feet": [(DISEASE, "Eyes: Wide eyes.")],
        "read D:1": "Alpha syndrome. Eyes: Wide eyes. Limbs: Flat feet. Associated genes: AB1.",
        "Alpha syndrome associated genes": [],
    }
    asked = question(BOTH, (TO_GENE,), "GENE:AB1")
    trajectory, queries = run(asked, table, FULL)
    assert queries == ["Wide eyes, Flat feet", "read D:1", "Alpha syndrome associated genes"]
    assert trajectory.answer.citations == ("D:1",)
    with pytest.raises(EvidenceMissing, match="clues_not_shown"):
        run(asked, table, SHORT)


def test_the_first_disease_is_trusted_on_request_only_when_it_states_a_clue():
    trusting = ExpertConfig(
        may_read=False,
        read_on_the_way=0,
        read_before_answer=0,
        max_retries=0,
        trust_first_disease=True,
    )
    asked = question(BOTH, (), "D:1")
    run(asked, {"Wide eyes, Flat feet": [(EYES, ""), (DISEASE, "Eyes: Wide eyes.")]}, trusting)
    for hits in ([(OTHER, ""), (DISEASE, "Eyes: Wide eyes.")], [(DISEASE, "Onset: Late.")]):
        with pytest.raises(EvidenceMissing, match="clues_not_shown"):
            run(asked, {"Wide eyes, Flat feet": hits}, trusting)


def test_clues_may_be_searched_among_diseases_from_the_start_and_then_only_once():
    config = ExpertConfig(search_diseases_only=True)
    asked = question(BOTH, (), "D:1")
    _, queries = run(asked, {"disease|Wide eyes, Flat feet": FOUND}, config)
    assert queries[0] == "disease|Wide eyes, Flat feet"
    tools = StubTools({})
    with pytest.raises(EvidenceMissing, match="clues_not_shown"):
        run_sequential(text_episode(asked, AgentLimits()), Expert(asked, BRIEFING, config), tools)
    assert tools.asked == ["disease|Wide eyes, Flat feet"]  # the same again would be a loop


def test_what_the_tools_do_not_show_is_not_claimed():
    table = THREE_HOPS | {"AB1 associated diseases": [(GENE, "Associated diseases: Gamma.")]}
    with pytest.raises(EvidenceMissing, match="gene_disease_not_shown"):
        run(question(BOTH, (TO_GENE, TO_OTHER), "D:2"), table)
    with pytest.raises(EvidenceMissing, match="search_timeout"):
        run(question(BOTH, (), "D:1"), THREE_HOPS, status=Status.TIMEOUT)


def test_reading_before_the_answer_is_seeded_and_cites_the_document():
    config = ExpertConfig(read_on_the_way=0, read_before_answer=1)
    table = THREE_HOPS | {"read D:2": "Beta syndrome. Associated genes: AB1."}
    asked = question(BOTH, (TO_GENE, TO_OTHER), "D:2")
    trajectory, queries = run(asked, table, config)
    # The gene's document has no more to say; the disease's own confirms it from the other side.
    assert queries[-1] == "read D:2"
    assert trajectory.answer.citations == ("GENE:AB1", "D:2")
    half = ExpertConfig(read_on_the_way=0, read_before_answer=0.5)
    runs = [run(asked, table, half, seed=seed) for seed in range(20)]
    assert {len(queries) for _, queries in runs} == {3, 4}
    assert runs == [run(asked, table, half, seed=seed) for seed in range(20)]


@pytest.mark.parametrize(
    "fields",
    [
        {"thoughts": "none"},
        {"read_before_answer": 1.5},
        {"may_read": False, "read_before_answer": 0.5},
        {"max_retries": -1},
        {"max_query_words": 0},
    ],
)
def test_config_mistakes_name_the_field(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        ExpertConfig(**fields)
