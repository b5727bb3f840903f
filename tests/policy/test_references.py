"""docs/references.bib parses, is complete, and holds every paper that code and docs name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIB = ROOT / "docs" / "references.bib"
_ENTRY = re.compile(r"@(?P<kind>\w+)\s*\{\s*(?P<key>[\w:-]+)\s*,")
_FIELD = re.compile(r"\s*,?\s*(?P<name>\w+)\s*=\s*\{")
_ARXIV = re.compile(r"ar[Xx]iv(?::|\.org/abs/)(\d{4}\.\d{4,5})")
WANTED = (
    "Human Phenotype Ontology", "OMIM", "Orphanet", "Mondo", "precision medicine", "CPIC",
    "Orange Book", "ClinicalTrials.gov", "PubMed", "MedBrowseComp", "GAIA", "xbench", "PubMedQA",
    "MedMCQA", "Medical Exams", "Multitask Language Understanding", "BIOASQ",
    "Retrieval-Augmented Generation for Medicine", "RareBench", "MedResearcher-R1",
    "DeepSeekMath", "DAPO", "Group Sequence Policy", "R1-Zero", "REINFORCE Style",
    "Likelihood Ratio Paradigm", "Qwen2.5", "Qwen3", "Llama", "SmolLM2", "MiniLM", "Muon", "LoRA",
    "JAX", "Flax", "Tantivy", "igraph",
)  # fmt: skip


def close_of(text, opening):
    """Where the brace that opens at ``opening`` closes."""
    depth = 0
    for place in range(opening, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    raise AssertionError(f"a brace is never closed: {text[opening : opening + 60]!r}")


def parse(text):
    """Key -> fields; anything between entries that is no comment is an error."""
    entries, position = {}, 0
    text = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    while found := _ENTRY.search(text, position):
        assert not text[position : found.start()].strip(), text[position : found.start()]
        end = close_of(text, text.index("{", found.start()))
        fields, place = {"kind": found["kind"]}, found.end()
        while field := _FIELD.match(text, place):
            closing = close_of(text, field.end() - 1)
            assert field["name"] not in fields, (found["key"], field["name"])
            fields[field["name"]] = text[field.end() : closing]
            place = closing + 1
        assert text[place:end].strip() in ("", ","), (found["key"], text[place:end])
        assert found["key"] not in entries, found["key"]
        entries[found["key"]] = fields
        position = end + 1
    assert not text[position:].strip()
    return entries


@pytest.fixture(scope="module")
def entries():
    return parse(BIB.read_text(encoding="utf-8"))


def test_every_entry_can_be_cited(entries):
    for key, fields in entries.items():
        assert {"title", "author", "year"} <= fields.keys(), key
        assert re.fullmatch(r"\d{4}", fields["year"]), key
        where = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}
        assert where[fields["kind"]] in fields, key


@pytest.mark.parametrize("name", WANTED)
def test_what_we_build_on_is_there(entries, name):
    titles = [re.sub(r"[{}]", "", fields["title"]) for fields in entries.values()]
    assert any(name in title for title in titles)


def test_every_paper_that_is_named_is_there(entries):
    named = set()
    for pattern in ("medr_jax/**/*.py", "docs/*.md", "configs/**/*.yaml", "*.md"):
        for path in ROOT.glob(pattern):
            named |= set(_ARXIV.findall(path.read_text(encoding="utf-8")))
    listed = set(_ARXIV.findall(BIB.read_text(encoding="utf-8")))
    assert named and not named - listed


def test_a_broken_file_would_be_noticed():
    with pytest.raises(AssertionError, match="never closed"):
        parse("@misc{a, title = {b")
    with pytest.raises(AssertionError):
        parse("@misc{a, title = {b}}\n@misc{a, title = {c}}")
    with pytest.raises(AssertionError):
        parse("@misc{a, title = {b} year = }")
