"""Whether a free-text answer means the same as the gold answer, by rule.

The rules are strict: they accept other spellings, units, orders and unambiguous synonyms, and
nothing that is merely similar. What they cannot decide counts as different; an LLM judge
(``judge.py``) may look at those.

    grade("0.5 mg", "500 micrograms").correct            # True
    grade("FGFR3", "FGFR2").correct                      # False
    grade("fever, cough", "cough; fever", "set").correct # True
"""

import re
from collections.abc import Callable, Sequence

from medr_jax.grading import dates, identifiers, quantities, wording
from medr_jax.grading.forms import forms
from medr_jax.grading.grade import Grade
from medr_jax.grading.readings import DOUBT, final_answer, strip_lead_in, without_subject
from medr_jax.grading.synonyms import NO_SYNONYMS, SynonymTable
from medr_jax.grading.terms import COMMA, NEGATIONS, plain, read

VERDICTS = ("yes", "no", "maybe")
MAX_CHARACTERS = 2000
"""Longer texts are reports, and not read for an answer unless they mark one as final."""

_NOUNS = (
    "patients cases individuals persons people participants subjects children adults women men "
    "families genes variants mutations studies trials articles publications times samples sites "
    "countries hospitals centers alleles exons chromosomes members siblings females males infants "
    "reports"
)
_COUNTED = frozenset(map(wording.fold_word, _NOUNS.split()))
"""What numbers count: "42 patients" answers "how many" as "42" does."""

_VERDICT = re.compile(
    r"(?:(?:most\s+)?(?:likely|probably)|definitely|certainly)?\s*"
    r"(?P<verdict>yes|no|maybe)(?:\s*$|\s*[.,;:!—-]|\s+(?:because|since|as|it|they|this|there)\b)"
    r"(?!\s*(?:and|or)\b|\s*(?:yes|no|maybe)\s*(?:$|[.,;:!]))",
    re.I,
)
_LAST_VERDICT = re.compile(
    r"\b(?:answer|verdict|conclusion|correct)\s*[:=]\s*(yes|no|maybe)\W*$", re.I
)
_CHOICE = re.compile(r"\(?(?P<letter>[A-Ja-j])\)?(?P<rest>(?:[.):,]|\s*$).*)\Z", re.S)
_LAST_CHOICE = re.compile(
    r"\b(?i:answer|option|choice)(?i:\s+is)?\s*[:=]?\s*(?<![A-Z])\(?(?P<letter>[A-J])\)?[\s.!]*\Z"
)
_ANOTHER = re.compile(
    r"[.):,\s]*(?:(?:and|or|&|/)\s*)?\(?[A-J]\)?(?=\s*$|\s*[,.;)&/]|\s+(?:and|or)\b)"
)
_OPTION = re.compile(
    r"^(?:(?:option|choice|answer)|i\s+(?:would\s+)?(?:choose|pick|select))\s+(?=\(?[A-J]\b)", re.I
)

_SPECIES = re.compile(r"(?P<initial>[A-Z])\.\s?(?P<species>[a-z]{3,})")
_BINOMIAL = re.compile(r"(?P<genus>[A-Z][a-z]{3,})\s(?P<species>[a-z]{3,})")
_BULLET = re.compile(
    r"^\s*(?:[-*•]\s+|\d+[.)]\s+|(?:and\s+)?(?:then|finally|first|next),?\s+)", re.I
)
_STRONG = re.compile(r"\s*(?:;|\n)\s*|\s+(?=\d{1,2}[.)]\s+[A-Za-z])")
_WEAK = re.compile(
    r"\s*,(?!\d{3}(?!\d))\s*(?:and\b\s*)?|\s+(?:and|plus|\+|(?:in\s+combination|combined|together)\s+with)\s+|\s*&\s*|(?<=[^\W\d_a-z0-9])\s*/\s*(?=[A-Z])"
    r"|(?<=[a-z]{4})\s*/\s*(?=[A-Za-z]{4})|(?<=[A-Z]\d)/(?=[A-Z])|(?<=[+-])/(?=[A-Z])"
)


def grade(
    prediction: str, gold: str, kind: str = "", *, synonyms: SynonymTable = NO_SYNONYMS
) -> Grade:
    """Grades one answer.

    ``kind`` "choice" compares the option's letter, "set" and "list" compare items. Any other
    kind is a label only: the gold answer's own shape decides whether it is a verdict (yes, no,
    maybe), a date, a number, a quantity, an identifier, several items or a name.
    """
    if kind == "choice":
        letter = choice(prediction)
        return Grade.of(letter == gold.strip().upper(), "choice", f"read as {letter}")
    if gold.strip().lower() in VERDICTS:
        said = verdict(prediction)
        return Grade.of(said == gold.strip().lower(), "verdict", f"read as {said}")
    prediction = final_answer(prediction)
    if len(prediction) > max(MAX_CHARACTERS, 2 * len(gold)):
        return Grade.of(False, "none", f"{len(prediction)} characters are no short answer")
    if kind == "list":
        return _grade_list(prediction, gold, synonyms)
    for said in dict.fromkeys((prediction, without_subject(plain(prediction)))):
        for rule, holds in _RULES.items():
            if holds(said, gold, synonyms):
                return Grade.of(True, rule)
    if kind == "set" or len(items(gold)) > 1:
        return _grade_set(prediction, gold, synonyms)
    return Grade.of(False, "none")


def equal(prediction: str, gold: str, synonyms: SynonymTable = NO_SYNONYMS) -> bool:
    """Whether the two mean the same, each taken as one item."""
    return any(holds(prediction, gold, synonyms) for holds in _RULES.values())


def verdict(prediction: str) -> str | None:
    """The "yes", "no" or "maybe" that an answer opens or ends with; None when it has none.

    Only a verdict in its place counts: neither the "no" of "no evidence" nor a letter of a name.
    """
    text = strip_lead_in(plain(prediction))
    found = _VERDICT.match(text)
    if found:
        return found["verdict"].lower()
    last = _LAST_VERDICT.search(text)
    return last[1].lower() if last else None


def choice(prediction: str, options: Sequence[str] = ()) -> str | None:
    """The letter of the one option that an answer takes; None when that is not clear.

    The letter must open the answer and stand alone: "B", "(B)", "B. metformin", or close it behind
    a marker: "... so the answer is B". Otherwise the whole answer may be the text of one of
    ``options`` (the first is A).
    """
    text = _OPTION.sub("", strip_lead_in(plain(final_answer(prediction))))
    found = _CHOICE.match(text)
    if found and not _ANOTHER.match(found["rest"]):
        return found["letter"].upper()
    if last := _LAST_CHOICE.search(text):
        return last["letter"]
    named = [place for place, option in enumerate(options) if equal(text, option)]
    return chr(ord("A") + named[0]) if len(named) == 1 else None


def items(text: str) -> list[str]:
    """The items of an enumeration: by line or semicolon, else by comma, "and", "&" and "/".

    A comma inside a number does not separate.
    """
    text = plain(text).strip(" .[]")
    parts = _STRONG.split(text)
    if len(parts) == 1:
        parts = _WEAK.split(
            re.sub(r"^both\s+|\bas well as\b", "", text.replace("as well as", "and"))
        )
    cleaned = (_BULLET.sub("", part).strip(" ,.") for part in parts)
    return [part for part in cleaned if part]


def _grade_list(prediction: str, gold: str, synonyms: SynonymTable) -> Grade:
    given, wanted = items(strip_lead_in(plain(prediction))), items(gold)
    same = [equal(one, other, synonyms) for one, other in zip(given, wanted, strict=False)]
    longest = max(len(given), len(wanted))
    correct = bool(wanted) and sum(same) == longest
    return Grade(correct=correct, rule="list", score=sum(same) / longest if longest else 0.0)


def _grade_set(prediction: str, gold: str, synonyms: SynonymTable) -> Grade:
    given, wanted = items(strip_lead_in(plain(prediction))), items(gold)
    if _is_negated_enumeration(prediction) or _is_negated_enumeration(gold):
        return Grade.of(False, "set", "a negation that may cover several items")
    found = sum(any(equal(one, item, synonyms) for one in given) for item in wanted)
    extra = sum(not any(equal(one, item, synonyms) for item in wanted) for one in given)
    correct = bool(wanted) and found == len(wanted) and not extra
    # F1: 2 found / (wanted + found + extra)
    score = 2 * found / (len(wanted) + found + extra) if wanted else 0.0
    return Grade(
        correct=correct,
        rule="set",
        score=score,
        note=f"{found} of {len(wanted)} found, {extra} too many",
    )


def _is_negated_enumeration(text: str) -> bool:
    """ "no fever and cough": the negation may cover both items or one."""
    terms = read(text)
    return (
        bool(NEGATIONS & set(terms)) and "and" in terms and COMMA not in terms and ";" not in text
    )


def _same_date(prediction: str, gold: str, _: SynonymTable) -> bool:
    asked, text = dates.parse(gold), strip_lead_in(plain(prediction))
    given = dates.parse(text)
    if given is None and not DOUBT & set(read(text)):
        given = dates.closing(text)
    return asked is not None and given is not None and given.states(asked)


def _same_forms(prediction: str, gold: str, _: SynonymTable) -> bool:
    return bool(forms(prediction) & forms(gold))


def _same_entity(prediction: str, gold: str, synonyms: SynonymTable) -> bool:
    return synonyms.same(prediction, gold)


def _same_number(prediction: str, gold: str, _: SynonymTable) -> bool:
    """One number on both sides, with or without the word for what is counted."""
    given, asked = (read(strip_lead_in(plain(text))) for text in (prediction, gold))
    if not (given and asked and given[0] == asked[0] and quantities.is_number(given[0])):
        return False
    counted = given[1:] + asked[1:]
    return len(counted) == 1 and counted[0] in _COUNTED


def _same_species(prediction: str, gold: str, _: SynonymTable) -> bool:
    """ "E. coli" for "Escherichia coli": the genus by its initial, the species in full."""
    for short, full in ((prediction, gold), (gold, prediction)):
        found = _SPECIES.fullmatch(strip_lead_in(plain(short)))
        named = _BINOMIAL.fullmatch(strip_lead_in(plain(full)))
        if found and named and found["initial"] == named["genus"][0]:
            return found["species"].lower() == named["species"].lower()
    return False


def _same_identifier(prediction: str, gold: str, _: SynonymTable) -> bool:
    """ "PMID 12345678" for "12345678": the register may be left out on one side."""
    given, asked = (read(strip_lead_in(plain(text))) for text in (prediction, gold))
    if len(given) != 1 or len(asked) != 1:
        return False
    numbers = [identifiers.bare_number(terms[0]) for terms in (given, asked)]
    return (numbers[0] or given[0]) == (numbers[1] or asked[0]) and not all(numbers)


_RULES: dict[str, Callable[[str, str, SynonymTable], bool]] = {
    "date": _same_date,
    "text": _same_forms,
    "number": _same_number,
    "identifier": _same_identifier,
    "species": _same_species,
    "synonym": _same_entity,
}
