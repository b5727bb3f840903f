from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medr_jax.graph.sources.obo import Synonym, read_obo


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.obo"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_terms_and_skips_other_stanzas(write_release):
    ontology = read_obo(write_release() / "hp.obo")
    assert ontology.version == "hp/releases/2031-02-03"
    cataract = ontology.terms["HP:0000518"]
    assert cataract.name == "Cataract"
    assert cataract.definition == 'A "clouding" of the lens.'  # not cut at the escaped quote
    assert cataract.synonyms == [
        Synonym("Lens opacity", "EXACT"),
        Synonym("Cloudy lens", "EXACT", "layperson"),
        Synonym("CAT", "EXACT", "abbreviation"),
        Synonym("Blurred thing", "RELATED"),
    ]
    assert cataract.parents == ["HP:0000478"]  # without {source="x"} and the comment
    assert cataract.xrefs == ["UMLS:C0086543"]
    assert "part_of" not in ontology.terms


def test_obsolete_terms_are_read_but_not_live(write_release):
    ontology = read_obo(write_release() / "hp.obo")
    assert ontology.terms["HP:0000546"].replaced_by == ["HP:0000545"]
    assert "HP:0000546" not in ontology.live()
    assert "HP:0000545" in ontology.live()


def test_a_synonym_without_scope_is_related(tmp_path):
    path = write(tmp_path, '[Term]\nid: X:1\nname: a\nsynonym: "b" []\n')
    assert read_obo(path).terms["X:1"].synonyms == [Synonym("b", "RELATED")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format-version: 1.2\n", "holds no"),
        ("[Term]\nid: X:1\nthis is not a tag\n", "x.obo:3: not a 'tag: value' line"),
        ("[Term]\nid: X:1\nsynonym: unquoted\n", "x.obo:3: expected a quoted text"),
        ("[Term]\nname: a\n", "x.obo:2: a .Term. must start with its id"),
        ("[Term]\nid: X:1\n\n[Term]\nid: X:1\n", "x.obo:5: term X:1 is defined twice"),
    ],
)
def test_bad_files_are_refused_with_their_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_obo(write(tmp_path, text))


def test_bad_encoding_and_missing_file(tmp_path):
    path = tmp_path / "x.obo"
    with pytest.raises(ValueError, match="no such OBO file"):
        read_obo(path)
    path.write_bytes(b"[Term]\nid: X:1\nname: \xff\xfe\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_obo(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.text(st.characters(exclude_categories=["C", "Z"], include_characters=' "\\'), min_size=1))
def test_any_quoted_text_survives_its_escaping(tmp_path, text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    path = write(tmp_path, f'[Term]\nid: X:1\nname: a\nsynonym: "{escaped}" EXACT []\n')
    assert read_obo(path).terms["X:1"].synonyms == [Synonym(text, "EXACT")]
