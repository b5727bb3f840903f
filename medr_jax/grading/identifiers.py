"""Identifiers of registers, and variants in HGVS notation, in one spelling each."""

import re

_REGISTERS = {
    "pmid": "pmid", "pubmed": "pmid", "pmc": "pmc", "pmcid": "pmc", "omim": "omim", "mim": "omim",
    "orpha": "orpha", "orphanet": "orpha", "hgnc": "hgnc", "mondo": "mondo", "hp": "hp",
    "hpo": "hp", "doid": "doid", "umls": "umls", "go": "go", "chebi": "chebi", "isrctn": "isrctn",
}  # fmt: skip
_COLON_NEEDED = "hp|hpo|go|mondo|doid|chebi"
"""Prefixes that mean other things without a colon ("HP" is also a bacterium)."""
_SPACE_ENOUGH = "|".join(sorted(set(_REGISTERS) - set(_COLON_NEEDED.split("|")), reverse=True))

_ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:"
    r"clinicaltrials\.gov/(?:ct2/show|study|show)/(?=NCT)"
    r"|(?P<pmid>pubmed\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/pubmed/)(?=\d)"
    r"|(?:pmc\.)?ncbi\.nlm\.nih\.gov/(?:pmc/)?articles/(?=PMC)"
    r"|(?P<omim>omim\.org/entry/)(?=\d)"
    r"|purl\.obolibrary\.org/obo/(?=\w+_\d)"
    r")",
    re.I,
)
"""What stands before the identifier in the address of a record."""

_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:?\s*)?(?P<doi>10\.\d{4,9}/[^\s\"<>]+)", re.I)
_TRIAL = re.compile(
    r"(?:(?:clinicaltrials\.gov|trial|study|registration|identifier|id|number)[\s:]+)*NCT[\s:]*(?P<number>\d{8})(?!\w)",
    re.I,
)
_NUMBERED = re.compile(
    rf"(?P<register>(?:{_COLON_NEEDED})(?=[:_])|{_SPACE_ENOUGH}(?=[\s:#_\d]))"
    r"(?:\s+id|\s+number)?[\s:#_]*(?:PMC)?(?P<number>\d+)(?!\w)",
    re.I,
)
_ICD = re.compile(
    r"(?:ICD-?\s?(?:9|10|11)(?:-CM)?(?:\s+code)?:?\s+)?(?P<code>[A-TV-Z]\d[\dA-Z]\.[\dA-Z]{1,4})(?!\w)",
    re.I,
)
_ICD_NAMED = re.compile(
    r"ICD-?\s?(?:9|10|11)(?:-CM)?(?:\s+code)?:?\s+(?P<code>[A-TV-Z]\d[\dA-Z])(?!\w)", re.I
)
_AMINO = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G",
    "His": "H", "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S",
    "Thr": "T", "Trp": "W", "Tyr": "Y", "Val": "V", "Ter": "*",
}  # fmt: skip
_LONG = "|".join(_AMINO)
_SHORT = "ARNDCQEGHILKMFPSTWYV"
_PROTEIN = re.compile(
    rf"(?:p\.\(?(?P<a>{_LONG}|[{_SHORT}])(?P<n>\d+)(?P<b>{_LONG}|[{_SHORT}*X]|=|fs\S*|del|dup)\)?"
    rf"|(?P<c>{_LONG})(?P<m>\d+)(?P<d>{_LONG})"
    rf"|(?P<e>[{_SHORT}])(?P<o>\d{{2,}})(?P<f>[{_SHORT}*X]|del|fs))(?![^\W_])"
)
_CODING = re.compile(
    r"(?P<place>[cgmn]\.[-*]?\d+(?:[+-]\d+)?(?:_[-*]?\d+(?:[+-]\d+)?)?)"
    r"(?P<change>[ACGT]>[ACGT]|del(?P<gone>[ACGT]*)(?:ins(?P<new>[ACGT]+))?|dup[ACGT]*|ins[ACGT]+|inv)"
)


def without_addresses(text: str) -> str:
    """Addresses of records as their identifiers: ".../pubmed/123/" -> "PMID 123"."""

    def register(found: re.Match[str]) -> str:
        return next((f"{name} " for name, said in found.groupdict().items() if said), "")

    return _ADDRESS.sub(register, text)


def match_at(text: str, position: int) -> tuple[str, int] | None:
    """(token, end) of the identifier that starts at ``position``, if one does."""
    if found := _DOI.match(text, position):
        doi = found["doi"].rstrip(".,;)")
        return f"doi {doi.lower()}", found.start("doi") + len(doi)
    if found := _TRIAL.match(text, position):
        return f"nct {found['number']}", found.end()
    if found := _NUMBERED.match(text, position):
        return f"{_REGISTERS[found['register'].lower()]} {found['number']}", found.end()
    if found := _ICD.match(text, position) or _ICD_NAMED.match(text, position):
        return f"icd {found['code'].lower()}", found.end()
    if found := _CODING.match(text, position):
        return f"variant {found['place']}{_change(found)}", found.end()
    if found := _PROTEIN.match(text, position):
        return f"variant p.{_protein(found)}", found.end()
    return None


def _change(found: re.Match[str]) -> str:
    """HGVS lets the deleted or doubled bases be left out: "delG" is "del"."""
    change = found["change"]
    if change.startswith("del"):
        return f"delins{found['new']}" if found["new"] else "del"
    return "dup" if change.startswith("dup") else change


def _protein(found: re.Match[str]) -> str:
    """One letter an amino acid: "Val600Glu", "p.(Val600Glu)" and "V600E" are one variant."""
    before, number, after = (
        next(part for part in found.group(*names) if part) for names in ("ace", "nmo", "bdf")
    )
    after = "fs" if after.startswith("fs") else _AMINO.get(after, after)
    return f"{_AMINO.get(before, before)}{number}{'*' if after == 'X' else after}"


def bare_number(token: str) -> str:
    """The digits of a numbered identifier ("pmid 123" -> "123"), "" for any other token."""
    register, _, number = token.partition(" ")
    return number.lstrip("0") if register in _REGISTERS.values() and number.isdigit() else ""
