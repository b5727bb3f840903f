"""Spellings of one word, and the closed classes of names that mean the same everywhere.

Only pairs that are equivalent in every medical context belong here: British and American
spelling, plurals, international and American drug names, vitamins, organs and their adjectives,
routes, frequencies.
Names of diseases and genes come from a synonym table (``synonyms.py``).
"""

import re

_IRREGULAR = {
    "vertebrae": "vertebra", "feet": "foot", "teeth": "tooth", "children": "child", "men": "man",
    "women": "woman", "mice": "mouse", "bacteria": "bacterium", "fungi": "fungus",
    "nuclei": "nucleus", "criteria": "criterion", "phenomena": "phenomenon", "ova": "ovum",
    "bacilli": "bacillus", "cocci": "coccus", "septa": "septum", "atria": "atrium",
}  # fmt: skip

_SPELLINGS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"ae|oe", "e"),  # anaemia, oesophagus
        (r"(?<=\w{2})our(?=$|al|ed|ing|less|y$)", "or"),  # tumour, behavioural
        (r"is(?=ation|e$|ed$|ing$)", "iz"),  # immunisation
        (r"ys(?=e$|ed$|ing$)", "yz"),  # catalyse
        (r"sulph", "sulf"),
        (r"^leuco(?=c|p|d|e|r|t)", "leuko"),  # leucocyte
        (r"(?<=\w{2}[bt])re$", "er"),  # fibre, centre
    )
]

_SAME = """
acetaminophen = paracetamol
epinephrine = adrenaline
norepinephrine = noradrenaline
albuterol = salbutamol
meperidine = pethidine
lidocaine = lignocaine
furosemide = frusemide
rifampin = rifampicin
glyburide = glibenclamide
cyclosporine = ciclosporin = cyclosporin
acyclovir = aciclovir
succinylcholine = suxamethonium
isoproterenol = isoprenaline
phenobarbital = phenobarbitone
chlorpheniramine = chlorphenamine
indomethacin = indometacin
dicyclomine = dicycloverine
cephalexin = cefalexin
nitroglycerin = glyceryl trinitrate
vitamin c = ascorbic acid
vitamin b1 = thiamine = thiamin
vitamin b2 = riboflavin
vitamin b3 = niacin = nicotinic acid
vitamin b5 = pantothenic acid
vitamin b6 = pyridoxine
vitamin b7 = biotin
vitamin b9 = folic acid = folate
vitamin b12 = cobalamin
vitamin d2 = ergocalciferol
vitamin d3 = cholecalciferol = colecalciferol
diabetes = diabetes mellitus
kidney = renal
liver = hepatic
heart = cardiac
lung = pulmonary
infarction = infarct
male = man
female = woman
intellectual disability = mental retardation
myeloid leukemia = myelogenous leukemia
"""
"""A line: names of one thing, as whole runs of words."""

_DAILY = r"(?:daily|(?:a|per|each|every)\s+day)"
PHRASES = [
    (re.compile(pattern, re.I), replacement)
    for pattern, replacement in (
        (rf"\b(?:twice|two times|2 times|2x)\s+{_DAILY}|\bb\.?i\.?d\b\.?", " 2xday "),
        (rf"\b(?:thrice|three times|3 times|3x)\s+{_DAILY}|\bt\.?i\.?d\b\.?", " 3xday "),
        (rf"\b(?:four times|4 times|4x)\s+{_DAILY}|\bq\.?i\.?d\b\.?", " 4xday "),
        (
            r"\bq\s?(\d+)\s?h\b|\bevery\s+(\d+)\s*h(?:ours?|rs?)?\b|\b(\d+)[- ]hourly\b",
            r" every\1\2\3h ",
        ),
        (r"\bevery12h\b", " 2xday "),
        (r"\bevery8h\b", " 3xday "),
        (r"\bevery6h\b", " 4xday "),
        (r"\bevery24h\b", " 1xday "),
        (r"\bq\s?(\d+)\s?w(?:k|eeks?)?\b", r"every \1 weeks"),
        (r"\b(?:once\s+)?(?:weekly|(?:a|per|every)\s+week)\b|/\s*week\b", " 1xweek "),
        (r"\b(?:once\s+)?(?:monthly|(?:a|per|every)\s+month)\b|/\s*month\b", " 1xmonth "),
        (rf"\b(?:once\s+)?{_DAILY}\b|/\s*(?:day|d)\b|\bq\.?d\b\.?", " 1xday "),
        (r"\b(?:by\s+mouth|per\s+os)\b", "oral"),
        (r"\b([ips])\.\s?([ovmc])\.?(?=\s|$)", r"\1\2"),
        (r"\bminus\s+(?=\d)", "-"),
        (r"\binherited\s+(?:in|as)\s+an?\s+(.+?)\s+(?:manner|fashion|pattern|trait|way)$", r"\1"),
        (r"^absent\s+|\bdenies\b", "no "),
        (r"\b(?:(?:greater|more|higher|larger)\s+than|above|over|exceeding)\s+(?=\d)", ">"),
        (r"\b(?:(?:less|lower|fewer|smaller)\s+than|below|under)\s+(?=\d)", "<"),
        (r"\bat\s+least\s+(?=\d)|\bno(?:t)?\s+less\s+than\s+(?=\d)|>=", "≥"),
        (r"\bat\s+most\s+(?=\d)|\bup\s+to\s+(?=\d)|\bno(?:t)?\s+more\s+than\s+(?=\d)|<=", "≤"),
        (r"\bbetween\s+(\d[\d.,]*)\s+and\s+(?=\d)", r"\1 to "),
        (r"\b(?:about|approximately|approx\.?|around|roughly|circa)\s+(?=\d)|[~≈]\s*(?=\d)", ""),
        (r"\b(?:(?:absence|lack)|no\s+(?:evidence|signs?)|free)\s+of\b", "no"),
        (r"\bwithout(?:\s+any)?\b|\bnegative\s+for\b|\bdoes\s+not\s+have\b", "no"),
        (r"^(.*?)[,:]?\s+(?:(?:is|are|was|were)\s+)?(?:absent|not\s+(?:present|seen))$", r"no \1"),
        (r"n't\b", " not"),
        (r"^(?:a|the)\s+total\s+of\s+(?=\d)", ""),
        (r"\bonce\s+(?=every\b)", ""),
        (r"\bper\s+(?=\d)", "/"),
        (r"\bhazard\s+ratio\b", "HR"),
        (r"\b(?:relative\s+risk|risk\s+ratio)\b", "RR"),
        (r"\bconfidence\s+interval\b", "CI"),
        (
            r"(\d[\d.,]*(?:\s*(?:years?|months?|weeks?|days?|%))?)\s+(?:of\s+age\s+)?(?:and|or)\s+"
            r"(?:older|over|above|more|up|greater|higher)\b",
            r"≥ \1",
        ),
        (
            r"(\d[\d.,]*(?:\s*(?:years?|months?|weeks?|days?|%))?)\s+(?:of\s+age\s+)?(?:and|or)\s+"
            r"(?:younger|under|below|less|fewer|lower)\b",
            r"≤ \1",
        ),
        (r"^(\d[\d.]*\s?%)\s+(?=[a-z]{3})(.+)$", r"\2 \1"),
        (r"\bonset\s+(?:in|during)\s+(\w+)$", r"\1 onset"),
        (r"\b(grade|stage|class|type)s?\s+(\d)\s+or\s+(\d)$", r"\1 \2-\3"),
        (r"\bas\s+well\s+as\b|\b(?:in\s+combination|combined|together)\s+with\b", "and"),
        (r"\b(\d)(?:st|nd|rd|th)\s+quarter\s+(?:of\s+)?(?=\d{4}\b)", r"q\1 "),
        (r"\b(\d{4})[ -]?q([1-4])\b", r"q\2 \1"),
        (
            r"\b(nyha|ecog|asa|killip|child[- ]pugh|ccs)\s+(?:functional\s+)?"
            r"(?:class|grade|score|performance\s+status|stage)\b",
            r"\1",
        ),
        (r"\bboth\b(?=.*\band\b)", ""),
    )
]  # fmt: skip
"""Ways to say a frequency, a bound or an absence -> one of them. In order."""

ROUTES = {
    "iv": "intravenous", "intravenously": "intravenous", "po": "oral", "orally": "oral",
    "im": "intramuscular", "intramuscularly": "intramuscular", "sc": "subcutaneous",
    "subcut": "subcutaneous", "subcutaneously": "subcutaneous", "sq": "subcutaneous",
}  # fmt: skip
"""Read as routes beside a dose only: "IV" is four elsewhere."""

WHOLE_ANSWERS = {
    "ad": ("autosomal", "dominant"),
    "ar": ("autosomal", "recessive"),
    "xl": ("x", "linked"),
    "xld": ("x", "linked", "dominant"),
    "xlr": ("x", "linked", "recessive"),
    **{short: (route,) for short, route in ROUTES.items()},
}
"""Abbreviations of inheritance and routes, read so where they are the whole answer."""


def fold_word(word: str) -> str:
    """One spelling and number of a lower-case word; words with digits stay as they are.

    "tumours" -> "tumor", "metastases" and "metastasis" -> "metastas": a key to compare by, not
    a word to show.
    """
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 5:
        word = f"{word[:-3]}y"
    elif word.endswith(("ses", "sis")) and len(word) > 5:
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word[:-1] if word.endswith("se") else word


def _same_names() -> dict[tuple[str, ...], tuple[str, ...]]:
    table = {}
    for line in _SAME.strip().splitlines():
        first, *others = (tuple(map(fold_word, name.split())) for name in line.split(" = "))
        table.update(dict.fromkeys(others, first))
    return table


_FIRST_NAME = _same_names()
_LONGEST = max(map(len, _FIRST_NAME))


def unify_names(words: tuple[str, ...]) -> tuple[str, ...]:
    """Runs of folded words that name the same thing, replaced by one of its names."""
    unified: list[str] = []
    position = 0
    while position < len(words):
        for length in range(_LONGEST, 0, -1):
            run = words[position : position + length]
            if len(run) == length and run in _FIRST_NAME:
                unified += _FIRST_NAME[run]
                position += length
                break
        else:
            unified.append(words[position])
            position += 1
    return tuple(unified)
