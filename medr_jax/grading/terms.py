"""An answer's text as a row of terms that can be compared: words, quantities, dates, signs."""

import re
import unicodedata

from medr_jax.grading import dates, identifiers, qualifiers, quantities, wording

COMMA = ","
NEGATIONS = frozenset({"no", "not", "never", "none", "neither", "nor", "cannot"})

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "κ": "kappa", "λ": "lambda", "μ": "mu", "σ": "sigma", "τ": "tau",
    "φ": "phi", "χ": "chi", "ω": "omega",
}  # fmt: skip
_SUPERSCRIPT = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]+")
_GREEK_LETTER = re.compile(f"[{''.join(_GREEK)}]", re.I)
_WORD = re.compile(r"[^\W_]+")
_SIGN = re.compile(r"[<>=≤≥±%+]")
_SEPARATOR = re.compile(r"[,()\[\]:]")
_DOSE = re.compile(r"^-?[\d/]+ (?:mass|volume|amount|activity|charge)/")

# A sign after a short symbol is a status: "HER2-", "CD4+", "ER+/PR-".
_STATUS = re.compile(
    r"(?<![^\W_])((?:[A-Z][A-Za-z]?|[A-Z]+[A-Za-z]{0,3}[A-Z][a-z]?|[A-Za-z]+\d+[A-Za-z]?))"
    r"([+-])(?=$|[\s,;/.)])"
)
_MARKUP = re.compile(r"\*\*|__|`|[\"“”]|\[\d+(?:\s*[,-]\s*\d+)*\]")
_POSSESSIVE = re.compile(r"\s*'\s*s\b|(?<=s)'(?=\s|$)")
_PREFIX = re.compile(
    r"\b(non|pre|post|anti|hyper|hypo|sub|inter|intra|extra|micro|macro|multi|poly|pseudo|re|co)"
    r"-(?=[a-z])",
    re.I,
)
_NON = re.compile(r"\bnon\s+(?=[a-z])", re.I)


def plain(text: str) -> str:
    """One spelling of characters: width, accents, dashes, quotes, superscripts, markup."""
    folded = unicodedata.normalize("NFKD", _SUPERSCRIPT.sub(r"^\g<0>", text))
    folded = "".join(
        "-" if unicodedata.category(char) == "Pd" or char == "−" else char
        for char in folded
        if not unicodedata.combining(char) and unicodedata.category(char) != "Cf"
    )
    folded = folded.replace("⁄", "/").replace("’", "'").replace("‘", "'").replace("×", "x")
    return _MARKUP.sub("", folded).strip()


def read(text: str) -> tuple[str, ...]:
    """The terms of ``text``, commas and brackets as ``COMMA``.

    A quantity, a date or an identifier is one term with its kind in it, so that "5 mg" and
    "0.005 g" are equal and no other word can be. Signs that change a statement are kept.
    """
    text = _phrases(plain(text))
    terms: list[str] = []
    position = 0
    while position < len(text):
        found, position = _next(text, position)
        terms += found
    return _words(terms)


def _phrases(text: str) -> str:
    text = _STATUS.sub(lambda m: f"{m[1]} {'positive' if m[2] == '+' else 'negative'} ", text)
    text = _POSSESSIVE.sub("", text)
    text = re.sub(r"(?<=\w)\*(?=\d)", "", text)  # HLA-B*27
    text = _NON.sub("non", _PREFIX.sub(r"\1", text))
    text = identifiers.without_addresses(text)
    text = quantities.with_digits(qualifiers.with_arabic_pairs(text))
    for pattern, replacement in wording.PHRASES:
        text = pattern.sub(replacement, text.strip(" .;"))
    return text


def _next(text: str, position: int) -> tuple[list[str], int]:
    """Terms that start at ``position`` (none for blanks and dropped signs) and where they end."""
    if text[position].isspace():
        return [], position + 1
    if date := dates.match_at(text, position):
        return [date[0].token], date[1]
    if identifier := identifiers.match_at(text, position):
        return [identifier[0]], identifier[1]
    if quantity := quantities.match_at(text, position):
        return quantity
    if word := _WORD.match(text, position):
        return _GREEK_LETTER.sub(lambda m: f" {_GREEK[m[0].lower()]} ", word[0]).split(), word.end()
    if _SIGN.match(text, position):
        return [text[position]], position + 1
    return [COMMA] if _SEPARATOR.match(text, position) else [], position + 1


def _words(terms: list[str]) -> tuple[str, ...]:
    """Folds plain words; reads routes beside a dose, and drops what says nothing."""
    has_dose = any(_DOSE.match(term) for term in terms)
    folded: list[str] = []
    for term in terms:
        if " " in term:
            folded.append(term)
            continue
        word = term.lower()
        if has_dose:
            word = wording.ROUTES.get(word, word)
        if word == "the" or (
            word == "old" and folded and folded[-1].endswith(("months/", "time/"))
        ):
            continue
        folded.append(wording.fold_word(word))
    return wording.unify_names(tuple(folded))
