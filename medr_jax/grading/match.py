"""Whether an answer equals the gold answer, and whether a document states it.

Only equality of whole normalised strings counts as correct: a substring rule would accept
"type 1" for "type 11" and "no cataract" for "cataract". Words are never dropped either:
removing articles, as SQuAD-style graders do, would make "hepatitis A" equal "hepatitis".
"""

import re
import unicodedata
from collections.abc import Callable, Iterable

from medr_jax.grading import answers
from medr_jax.types import Chain, Question

ABSTENTIONS = ("unknown", "not stated")
"""The right answers to a question that the snapshot does not answer."""

Names = Callable[[str], tuple[str, ...]]
"""All names of an entity id: its own first, then its EXACT synonyms."""

# A unit of meaning: letters and digits, a comparison or percent sign, a plus, or the minus that
# opens a number ("-5", but not the hyphen of "IL-6", which spaced text writes "il - 6").
_WORD = re.compile(r"(?<!\S)-\d[^\W_]*|[^\W_]+|[<>=≤≥%+]")

_GREEK = str.maketrans(
    {
        "α": " alpha ",
        "β": " beta ",
        "γ": " gamma ",
        "δ": " delta ",
        "ε": " epsilon ",
        "κ": " kappa ",
        "λ": " lambda ",
        "μ": " mu ",
        "σ": " sigma ",
        "ω": " omega ",
    }
)


def words(text: str) -> tuple[str, ...]:
    """The words of ``text`` with case, accents, width and all other punctuation removed.

    "Ehlers-Danlos syndrome, type 2" and "ehlers - danlos syndrome , type 2" give the same
    words. Signs that change a statement (< > = % + and a number's minus) stay.
    """
    if not text.isascii():
        text = _to_plain(text)
    return tuple(_WORD.findall(text.lower()))


def _to_plain(text: str) -> str:
    # "10⁵" must not become "105".
    apart = (
        f" {char}" if unicodedata.decomposition(char).startswith("<super>") else char
        for char in text
    )
    folded = unicodedata.normalize("NFKD", "".join(apart)).casefold().translate(_GREEK)
    return "".join(
        "-" if unicodedata.category(char) == "Pd" or char == "−" else char
        for char in folded
        if not unicodedata.combining(char) and unicodedata.category(char) != "Cf"
    )


def normalize(text: str) -> str:
    """The words of ``text`` joined by single spaces: equal for equal answers."""
    return " ".join(words(text))


def matches(answer: str, accepted: Iterable[str]) -> bool:
    """Normalised exact match against any accepted form; an empty answer never matches."""
    given = words(answer)
    return bool(given) and any(given == words(form) for form in accepted)


def is_correct(answer: str, question: Question) -> bool:
    """Whether ``answer`` is the question's answer or one of its aliases.

    Of a set every member must be there once, and nothing else; where the snapshot states no
    answer, an abstention is right.
    """
    if question.is_unanswerable:
        return matches(answer, ABSTENTIONS)
    if question.answer_set:
        return _is_set(answer, question.answer_set)
    return matches(answer, (question.answer, *question.answer_aliases))


def _is_set(answer: str, members: Iterable[tuple[str, ...]]) -> bool:
    left = [names[1:] for names in members]
    for item in answers.items(answer):
        found = next((names for names in left if matches(item, names)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def mentions(text: str, names: Iterable[str]) -> bool:
    """Whether the normalised text holds any of the names, bounded by words.

    "FGFR2" is not mentioned by "FGFR21", "type 1" not by "type 11".
    """
    haystack = f" {normalize(text)} "
    return any(f" {normalize(name)} " in haystack for name in names if words(name))


def entity_ids(chain: Chain, answer_id: str) -> tuple[str, ...]:
    """The entities to be found, in order: the clues' subject, then each hop's target.

    A hop to what is not stated has no target.
    """
    if not chain.hops:
        return (answer_id,)
    targets = (hop.target_id for hop in chain.hops)
    return (chain.hops[0].source_id, *filter(None, targets))


def supports(doc_id: str, text: str, question: Question, names: Names) -> bool:
    """Whether the document ``doc_id`` with the whole text ``text`` states the answer.

    With the last hop leading from entity P to the answer A, it does when

    - it is the document about P and its text mentions A (the answer, an alias or a name), or
    - it is the document about A and its text mentions P by any of its names.

    A question without hops asks for the subject of its clues: there the document about A
    supports when it mentions A. A document about anything else never supports, whatever it
    mentions: "autosomal dominant" stands in thousands of documents.

    The document about P must mention every member of a set; of an answer that is not stated,
    it is the place where it would stand.
    """
    if question.is_unanswerable:
        return bool(question.chain.hops) and doc_id == question.chain.hops[-1].source_id
    if question.answer_set and question.chain.hops:
        return doc_id == question.chain.hops[-1].source_id and all(
            mentions(text, names[1:]) for names in question.answer_set
        )
    answer_names = (question.answer, *question.answer_aliases, *names(question.answer_id))
    if not question.chain.hops:
        return doc_id == question.answer_id and mentions(text, answer_names)
    source_id = question.chain.hops[-1].source_id
    if doc_id == source_id:
        return mentions(text, answer_names)
    return doc_id == question.answer_id and mentions(text, names(source_id))
