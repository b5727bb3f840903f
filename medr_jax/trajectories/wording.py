"""How the scripted expert words queries and thoughts.

A query is made of names and of the labels that documents give their segments, so that a small
model can learn to write it. Thoughts come in two styles: ``short``, a few words that name what
was found and what is next, and ``full``, sentences.
"""

import random
from collections.abc import Iterable

from medr_jax.questions import compose
from medr_jax.questions.hops import Form, form_of
from medr_jax.retrieval import corpus
from medr_jax.types import Hop, Kind

STYLES = ("short", "full")

QUERY_WORDS = {
    Form.GENE: corpus.GENES.lower(),
    Form.INHERITANCE: corpus.INHERITANCE.lower(),
    Form.ONSET: corpus.ONSET.lower(),
    Form.COURSE: corpus.COURSE.lower(),
    Form.GENE_DISEASE: corpus.DISEASES.lower(),
    Form.PHENOTYPE_DISEASE: "",  # diseases list the phenotype under its organ system
    Form.PARENT: corpus.PARENTS.lower(),
    Form.ABSENT: corpus.ABSENT.lower(),
}
"""What follows the entity's name; ``Form.PHENOTYPE`` asks by the name of the organ branch."""

NOUNS = {
    Kind.DISEASE: "disease",
    Kind.GENE: "gene",
    Kind.PHENOTYPE: "phenotype",
    Kind.INHERITANCE: "inheritance",
    Kind.ONSET: "onset",
    Kind.COURSE: "clinical course",
    Kind.PUBLICATION: "article",
    Kind.PRODUCT: "drug product",
    Kind.EXCLUSIVITY: "exclusivity",
    Kind.ORGANIZATION: "company or sponsor",
    Kind.JOURNAL: "journal",
    Kind.PERSON: "author",
    Kind.DATE: "date",
    Kind.VALUE: "value",
    Kind.CONCEPT: "index term",
    Kind.DRUG: "drug",
    Kind.TRIAL: "trial",
    Kind.PATENT: "patent",
}

_FULL_NOUNS = {Kind.INHERITANCE: "mode of inheritance", Kind.ONSET: "age of onset"}

_SHORT_NEXT = {
    Form.GENE: "its gene",
    Form.INHERITANCE: "its inheritance",
    Form.ONSET: "its onset",
    Form.COURSE: "its clinical course",
    Form.PHENOTYPE: "its {branch}",
    Form.GENE_DISEASE: "its {other}disease",
    Form.PHENOTYPE_DISEASE: "its {other}disease",
    Form.PARENT: "its parent",
    Form.COUNTED: "its {branch}",
    Form.ABSENT: "its {field}",
    Form.FACT: "its {field}",
}
_SHORT = {
    "open_clues": ("find the disease",),
    "open_definition": ("find the phenotype",),
    "open_clue_definition": ("find the phenotype of the definition",),
    "open_next_definition": ("find the next phenotype",),
    "open_clue_synonym": ("find the phenotype called {text}",),
    "open_gene": ("the gene is {name}.",),
    "open_facts": ("find the {noun}",),
    "open_named": ("it is {name}.",),
    "unstated": ("not stated.",),
    "found": ("{label} {place} {name}.",),
    "clue_seen": ("the phenotype is {name}.",),
    "again": ("find the disease",),
    "read": ("read it.",),
    "confirm": ("read it to be sure.",),
    "retry": ("not found. other words.",),
    "answer": ("",),
    "switch": ("read {name} first.",),
    "detour": ("maybe {name}.",),
    "back": ("not it.",),
    "failed": ("it failed. again.",),
    "repeat": ("search again.",),
    "guess": ("it is {name}.",),
}

_FULL_NEXT = {
    Form.GENE: (
        "Next I need the gene associated with it.",
        "The question goes on to its associated gene, so I look that up.",
    ),
    Form.INHERITANCE: (
        "Next I need its mode of inheritance.",
        "What remains is how it is inherited.",
    ),
    Form.ONSET: ("Next I need its age of onset.", "What remains is when it sets in."),
    Form.COURSE: ("Next I need its clinical course.", "What remains is its clinical course."),
    Form.PHENOTYPE: (
        'Next I need the one finding it has under "{branch}".',
        'I look at what its document lists under "{branch}".',
    ),
    Form.GENE_DISEASE: (
        "Next I need the {other}disease associated with this gene.",
        "I look up which {other}disease this gene is associated with.",
    ),
    Form.PHENOTYPE_DISEASE: (
        "Next I need the {other}disease annotated with this phenotype.",
        "I search for the {other}disease that shows this phenotype.",
    ),
    Form.PARENT: (
        "Next I need the broader term that it belongs to.",
        "I look up its parent term.",
    ),
    Form.COUNTED: (
        'Next I need the counts that its document gives under "{branch}".',
        'I look at how often each finding under "{branch}" was reported.',
    ),
    Form.ABSENT: (
        "Next I need what is reported absent in it.",
        "I look up what its document lists as reported absent.",
    ),
    Form.FACT: (
        'Next I need what is stated of it as "{field}".',
        'I look up what its document lists as "{field}".',
    ),
}
_FULL = {
    "open_clues": (
        "The question describes a disease by {clues}. I search for these words together.",
        "I look for the one disease annotated with {clues}.",
    ),
    "open_definition": (
        "The question gives the definition of a phenotype. I search for its wording.",
        "First I have to learn which phenotype is described this way.",
    ),
    "open_next_definition": (
        "Another clue is a definition, too. I look it up as well.",
        "The next clue is described rather than named, so I look that up, too.",
    ),
    "open_clue_definition": (
        "One of the clues is given as a definition. First I find the phenotype it defines.",
        "Before I can search for the disease I need the name of the phenotype described here.",
    ),
    "open_clue_synonym": (
        'These words did not lead to the disease. I look up what "{text}" is usually called.',
        'I check under which name the index lists "{text}".',
    ),
    "open_gene": ("The question starts from the gene {name}.",),
    "open_facts": (
        "The question describes a {noun} by {clues}. I search for these words together.",
        "I look for the one {noun} of which {clues} are stated.",
    ),
    "open_named": ("The question starts from {name}.",),
    "unstated": (
        "I have read {document}, and it does not state this. The answer is unknown.",
        "This is not stated in {document}, so I do not guess: it is unknown.",
    ),
    "found": ("The {noun} is {name}.", "So the {noun} is {name}.", "That gives {name}."),
    "clue_seen": ('The hits show that "{text}" is listed as {name}.',),
    "again": ("I search again in these words.", "I repeat the search in these words."),
    "read": (
        "The snippet does not show enough, so I read {document}.",
        "The part I need is cut off. I open {document}.",
    ),
    "confirm": (
        "I read {document} to confirm it.",
        "To make sure, I open {document}.",
    ),
    "retry": (
        "The hits do not show it. I try again with other words.",
        "Not among the hits. I change the query.",
    ),
    "answer": (
        "This is what the question asks for, and {document} states it.",
        "As {document} supports this, I answer.",
    ),
    "switch": (
        "Before I go on, I read the document of {name}.",
        "I have a look at {name} first.",
    ),
    "detour": ("It may be about {name}, so I search for that.", "Perhaps {name} leads on."),
    "back": ("That does not help; I go back.", "This was the wrong way. I return."),
    "failed": ("The call failed, so I make it again.", "No answer came. I try once more."),
    "repeat": ("I search for this again.", "I make the same search once more."),
    "guess": ("I take {name} to be the answer.", "It should be {name}."),
}


class Wording:
    """Thoughts in one style; which of several sayings is used depends on ``rng`` only."""

    def __init__(self, style: str, rng: random.Random) -> None:
        assert style in STYLES
        self._style = style
        self._sayings = _SHORT if style == "short" else _FULL
        self._rng = rng

    def say(self, what: str, **fields: str | int) -> str:
        """One saying of the table, filled in."""
        return self._rng.choice(self._sayings[what]).format(**fields)

    def clues(self, called: Iterable[str]) -> str:
        """Clues as the opening thought names them."""
        return compose.join([f'"{name}"' for name in called])

    def noun(self, kind: Kind) -> str:
        """What an entity of the kind is called."""
        return NOUNS[kind] if self._style == "short" else _FULL_NOUNS.get(kind, NOUNS[kind])

    def found(self, name: str, noun: str, *, label: int, field: str = "", passed: str = "") -> str:
        """What was found, and where: in the hit of this label, as title or in a segment.

        ``passed`` stands before the name in that segment and is not what was looked for.
        """
        place = noun if not field else f"{field}: {passed};" if passed else f"{field}:"
        return self.say("found", name=name, noun=noun, label=label, place=place)

    def next_step(
        self, form: Form, *, is_other: bool = False, branch: str = "", field: str = ""
    ) -> str:
        """What is looked up now."""
        other = "other " if is_other else ""
        if self._style == "short":
            told = _SHORT_NEXT[form].format(other=other, branch=branch.lower(), field=field)
            return f"next {told}"
        told = self._rng.choice(_FULL_NEXT[form])
        return told.format(other=other, branch=branch, field=field)


def field_of(hop: Hop, branch: str) -> str:
    """The label of the segment that states the hop in a document; "" where a title does.

    A query for the hop is the entity's name and then this.
    """
    form = form_of(hop)
    if form is Form.FACT:
        return corpus.FACT_LABELS[hop.relation].lower()
    return branch.lower() if form in (Form.PHENOTYPE, Form.COUNTED) else QUERY_WORDS[form]
