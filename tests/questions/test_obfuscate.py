import random

from medr_jax.graph.knowledge_graph import KnowledgeGraph
from medr_jax.questions.obfuscate import Obfuscator, first_sentence
from medr_jax.types import Entity, Kind, Relation


def test_first_sentence():
    text = 'An "opacity" of the\n lens. It varies (e.g. with age).'
    assert first_sentence(text) == "An 'opacity' of the lens"
    assert first_sentence("Below 1.5 mmol/l in serum.") == "Below 1.5 mmol/l in serum"
    assert first_sentence("") == ""


def graph(**definitions):
    entities = [
        Entity(
            id=one, kind=Kind.PHENOTYPE, name=f"Name {one}", synonyms=("Alias",), definition=text
        )
        for one, text in definitions.items()
    ]
    return KnowledgeGraph.from_records(entities, [], snapshot="HPO 2025-01-16")


def test_definitions_that_will_not_do():
    found = Obfuscator(
        graph(
            A="A fine description of this.",
            B="Shared by two different terms.",
            C="SHARED by two different terms!",
            D="The alias of the thing is meant.",
            E="Too short.",
            F="This term is to be used for nothing at all.",
            G="One two three four five six seven.",
        ),
        max_definition_words=6,
    )
    assert [one for one in "ABCDEFG" if found.definition(one)] == ["A"]


def test_say_falls_back_to_what_a_term_has(tiny_graph):
    obfuscator = Obfuscator(tiny_graph, max_definition_words=30)
    rng = random.Random(0)
    assert obfuscator.say("HP:1", {"synonym": 1.0}, rng) == ("synonym", "Cloudy lens")
    assert obfuscator.say("HP:2", {"synonym": 1.0}, rng) == ("name", "Nuclear lens opacity")
    level, text = obfuscator.say("HP:8", {"definition": 1.0, "name": 0.0}, rng)
    assert (level, text) == ("definition", "An involuntary rhythmic shaking of a limb")


def test_a_neighbourhood_fits_one_term_and_does_not_name_it(make_graph):
    is_a = Relation.IS_A
    found = Obfuscator(make_graph(), max_definition_words=30)
    # Lens anomaly > Lens opacity > Nuclear lens opacity: the lower name holds the term's own.
    assert found.neighbourhoods("HP:1") == ()
    assert found.neighbourhoods("HP:0") == (
        "a kind of 'Abnormality of the eye' that includes 'Lens opacity'",
    )
    # With a second way from above to below the words fit two terms.
    shared = make_graph(("HP:1", is_a, "HP:3"))
    assert Obfuscator(shared, max_definition_words=30).neighbourhoods("HP:0") == ()
