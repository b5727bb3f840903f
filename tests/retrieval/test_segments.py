"""Cutting a document's text into statements and their parts."""

import pytest

from medr_jax.retrieval.corpus import Document, list_segment
from medr_jax.retrieval.segments import Segment, parse_segment, segments_of, without_counts


@pytest.mark.parametrize(
    ("text", "label", "pieces", "listed"),
    [
        ("Associated genes: FBN1; FBN2.", "Associated genes", ("FBN1", "FBN2"), True),
        ("Inheritance: X-linked inheritance.", "Inheritance", ("X-linked inheritance",), True),
        # Semicolons do not make a definition a list.
        ("Definition: One; two. Three.", "Definition", ("One; two.", "Three."), False),
        ("No label here. None there.", "", ("No label here.", "None there."), False),
        ("Methods: We did this. Then that.", "Methods", ("We did this.", "Then that."), False),
        # A full stop inside a name does not make a list prose.
        (
            "Associated diseases: St. Louis encephalitis; Mumps.",
            "Associated diseases",
            ("St. Louis encephalitis", "Mumps"),
            True,
        ),
        ("Ratio; is 3: 1.", "", ("Ratio; is 3: 1.",), False),
        ("", "", (), False),
    ],
)
def test_parse_segment(text, label, pieces, listed):
    assert parse_segment(text) == Segment(label, pieces, listed)


def test_a_list_survives_writing_and_parsing():
    written = list_segment("Associated diseases", ["A;  B\nC", "D (3/4)"])
    assert written == "Associated diseases: A, B C; D (3/4)."
    assert parse_segment(written).pieces == ("A, B C", "D (3/4)")


def test_text_marks_what_is_missing():
    segment = parse_segment("Associated genes: FBN1; FBN2.")
    assert segment.text(["FBN1", "FBN2"]) == "Associated genes: FBN1; FBN2."
    assert segment.text(["FBN2"]) == "Associated genes: FBN2; ..."
    prose = parse_segment("Definition: One. Two.")
    assert prose.text(["One.", "Two."]) == "Definition: One. Two."
    assert prose.text(["One."]) == "Definition: One. ..."


def test_counts_are_taken_off_but_other_brackets_stay():
    assert without_counts("Myopia (14/15)") == "Myopia"
    assert without_counts("Myopia (40%)") == "Myopia"
    assert without_counts("Scales (ichthyosis)") == "Scales (ichthyosis)"


def test_synonyms_are_the_last_segment():
    document = Document(doc_id="x", kind="k", title="t", synonyms=("A; B",), segments=("One.",))
    assert segments_of(document)[-1] == Segment("Synonyms", ("A; B",), listed=True)
