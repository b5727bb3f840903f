"""What an answer says once its wrapping is off: lead-ins, glosses, contrasts, explanations."""

import re
from collections.abc import Iterator

from medr_jax.grading import identifiers, qualifiers
from medr_jax.grading.abbreviations import is_abbreviation
from medr_jax.grading.terms import NEGATIONS, read

_NOUNS = (
    "answer|diagnosis|disease|disorder|condition|syndrome|gene|drug|medication|medicine|treatment"
    "|dose|dosage|date|inheritance|mode of inheritance|inheritance pattern|phenotype|result|option"
    "|choice|value|number|identifier|id|year|entity|ingredient|company|agent|variant|mutation|cause"
    "|organism|pathogen|finding|conclusion|n"
)
_ADJECTIVES = (
    "final|correct|best|most likely|likely|probable|causative|causal|responsible|associated"
    "|affected|underlying|recommended|start|approval|patent expiration|active|clinical|molecular"
    "|mutated|first-line|short|main"
)
_OPENING = (
    r"(?:(?:so|thus|therefore|hence|overall|in conclusion)[,:]?\s+)?"
    r"(?:(?:based on|according to)\s[^,.;]{1,80},\s+)?"
    r"(?:i\s+(?:think|believe|conclude|would\s+say|am\s+\w+)(?:\s+that)?\s+)?"
)
_WHERE = r"(?:\s+(?:for|in|of|to|at)\s+(?:this|the|that|these|my)\s+\w+)?"
_OTHERS = (
    "no|not|nor|never|none|neither|without|or|opposite|reverse|contrary|alternative|rival|other"
    "|second|former|previous|wrong|incorrect|false|unlikely|less|least|excluded|differential"
    "|is|are|was|were"
)
"""A subject with one of these may be anything but what is asked for."""
_LEAD_IN = re.compile(
    rf"^{_OPENING}"
    rf"(?:(?:(?:the|my|our|this|its|a)\s+)?(?:(?:{_ADJECTIVES})\s+)*(?:{_NOUNS}){_WHERE}"
    r"(?:\s+(?:is|are|was|were|would be)(?:\s+most\s+(?:likely|probably))?\s*:?\s+|\s*[:=]\s*)"
    r"|(?:it|this|that|they)\s+(?:is|are|was|were)\s+(?:most\s+(?:likely|probably)\s+)?"
    r"|(?:the|this)\s+(?:patient|child|boy|girl|man|woman|infant|family)\s+(?:most\s+likely\s+)?has\s+"
    r"|(?:(?!\bno[tr]?\b)[^.;]){1,80}?\s(?:is|are)\s+(?:most\s+likely\s+)?caused\s+by\s+"
    r"|(?:most\s+(?:likely|probably)|almost\s+certainly)\s*[:,]?\s+"
    r"|(?:(?:is|are|was|were)\s+)?(?:caused\s+by|due\s+to)\s+|(?:is|are|was|were)\s+"
    r")(?!\s*$)",
    re.I,
)
_SUBJECT = re.compile(
    rf"^(?:the|its|their|this)\s+(?:(?!(?:{_OTHERS})\b)[\w-]+\s+){{1,5}}?"
    r"(?:is|are|was|were)\s*:?\s+(?!\s*$)",
    re.I,
)
_LEAD_OUT = re.compile(
    rf"(?<=\S)\s+(?:is|are|was)\s+the\s+(?:(?:{_ADJECTIVES})\s+)*(?:{_NOUNS})$", re.I
)
_ARTICLE = re.compile(r"^(?:an?\s+|An\s+|A\s+(?=[a-z]{3}))")
_BOXED = re.compile(r"<answer>(.+?)</answer>|\\boxed\{(?:\\text\{)?([^{}]+)\}", re.I | re.S)
_FINAL = re.compile(r"(?<![^\W_])final\s+answer\s*(?:is\s*:?|:)\s*(?P<said>[^\n]+)\Z", re.I)

_GLOSSED = re.compile(
    r"^(?P<outside>[^()]+?)(?:\s*\((?P<inside>[^()]+)\)|\s+-\s+(?P<behind>[^()]+))$"
)
_ALIAS = re.compile(
    r"^(?P<one>[^,(]+?),?\s+\(?(?:also\s+(?:known\s+as|called|termed)|a\.?k\.?a\.?)\s+(?P<other>[^,)]+)\)?$",
    re.I,
)
_CONTRAST = re.compile(
    r"^(?P<said>.+?)(?:,?\s+(?P<plain>rather than|instead of|as opposed to)\s+(?P<other>.+)"
    r"|,\s*(?:and\s+|but\s+)?not\s+(?P<second>.+)|\s*\((?:and\s+|but\s+)?not\s+(?P<third>.+)\))$",
    re.I,
)
_EXPLAINED = re.compile(
    r"^(?P<said>[^,]+?)(?:(?:,\s+(?:which|who|because|since|as\s+it|an?|located|found|encod(?:ed|ing)|also|approved"
    r"|published|reported|discovered)|\s+because)\s+"
    r"|\.\s+(?=(?:It|This|The|Its|These|They|Patients|In|Source|See|Evidence|Based|According)\s))"
    r"(?P<rest>.+)$",
    re.S,
)
_DOUBTS = (
    "or but however alternatively may might could possibly possible excluded unlikely ruled "
    "suspected differential versus vs rather instead unless if except"
)
DOUBT = NEGATIONS | frozenset(_DOUBTS.split())
_DESCRIBES = re.compile(
    r"(?:an?|the|as\s+of|since|see|source|per|according\s+to|based\s+on)\b", re.I
)
"""How a bracket opens that tells something about what stands before it."""
_MODIFIES = re.compile(
    r"(?:al|ic|ar|ary|ory|ous|ive|ed|ing|ent|ant|ile|oid|ly|onset|cell|type|stage|grade|form"
    r"|variant|male|wild|risk)$",
    re.I,
)
"""How a bracket ends that narrows down what stands before it: "hearing loss (sensorineural)"."""
_MAX_NAME_WORDS = 6


def strip_lead_in(text: str) -> str:
    """The text without "The answer is", an article in front and a full stop behind."""
    while True:
        shorter = _LEAD_OUT.sub("", text.strip().strip("\"'{}").rstrip(" .;?"))
        shorter = _LEAD_IN.sub("", shorter, count=1)
        if shorter == text:
            return _ARTICLE.sub("", text)
        text = shorter


def without_subject(text: str) -> str:
    """ "The primary endpoint was overall survival" -> "overall survival".

    For answers only: of a gold answer the subject is part of what it says.
    """
    return _SUBJECT.sub("", strip_lead_in(text), count=1)


def final_answer(text: str) -> str:
    """What an answer itself marks as final ("Final answer: ...", a tag, a box), else all of it."""
    marked = _BOXED.search(text) or _FINAL.search(text)
    return next(part for part in marked.groups() if part) if marked else text


def readings(text: str) -> Iterator[str]:
    """``text`` (plain) without its lead-in, and what is left without a gloss or an explanation.

    A part is only left out where it repeats, contrasts with or explains what remains; one that
    denies or doubts it is kept, and so keeps the answer apart from the gold answer.
    """
    text = strip_lead_in(final_answer(text))
    yield text
    if found := _GLOSSED.match(text):
        outside, inside = found["outside"], found["inside"] or found["behind"]
        if _is_gloss(outside, inside) or _is_other_name(outside, inside):
            yield outside
            yield inside
        elif _DESCRIBES.match(inside) and not DOUBT & set(read(inside)):
            yield outside
    if found := _ALIAS.match(text):
        yield found["one"]
        yield found["other"]
    if found := _CONTRAST.match(text):
        other = found["other"] or found["second"] or found["third"]
        if found["plain"] or _is_alternative(found["said"], other):
            yield found["said"]
    if (found := _EXPLAINED.match(text)) and not DOUBT & set(read(found["rest"])):
        yield from readings(found["said"])


def _is_gloss(outside: str, inside: str) -> bool:
    """An abbreviation of one by the other, the same again ("5 mg (5000 µg)"), or identifiers."""
    if is_abbreviation(inside, outside) or is_abbreviation(outside, inside):
        return True
    terms = read(inside)
    if terms == read(outside):
        return True
    return bool(terms) and all(map(identifiers.bare_number, terms))


def _is_other_name(outside: str, inside: str) -> bool:
    """Whether "outside (inside)" gives one thing two names: "Gleevec (imatinib)".

    It does not where the bracket narrows down, doubts, describes or measures, and not where the
    two are alike or of one class, since then the second may be a rival: "FGFR2 (FGFR3)".
    """
    mine, theirs = read(outside), read(inside)
    if not mine or not 0 < len(theirs) <= _MAX_NAME_WORDS or _DESCRIBES.match(inside):
        return False
    if DOUBT & {*mine, *theirs} or any(" " in term for term in (*mine, *theirs)):
        return False
    name, narrowed = qualifiers.split(qualifiers.with_arabic_numerals(theirs))
    narrows = len(name) < 2 and any(kind != "type" for kind, _ in narrowed)
    if _MODIFIES.search(inside) or not name or narrows:
        return False
    symbols = outside.isupper() and inside.isupper()
    return not (symbols or _is_alternative(outside, inside) or _are_alike(mine, theirs))


def _are_alike(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Whether two words begin or end alike, as prednisone and prednisolone do."""
    return len(mine) == len(theirs) and any(
        min(len(one), len(other)) > 4 and (one[:5] == other[:5] or one[-5:] == other[-5:])
        for one in mine
        for other in theirs
    )


def _is_alternative(said: str, other: str) -> bool:
    """Whether "not ``other``" rejects a rival of what was said, and says nothing about it.

    "Marfan syndrome, not Loeys-Dietz syndrome" does; "Marfan syndrome, not confirmed" does not.
    """
    mine, theirs = read(said), read(other)
    if set(mine) & set(theirs):
        return True
    if any(qualifiers.same_class(first, second) for first in mine for second in theirs):
        return True
    symbols = all(re.search(r"\d", word) for word in (*mine, *theirs))
    return len(mine) == len(theirs) == 1 and symbols
