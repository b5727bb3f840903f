import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.grading import match
from medr_jax.types import Chain, Clue, Hop, Kind, Question, Relation

SAME = [
    ("ehlers - danlos syndrome , type 2", "Ehlers-Danlos syndrome, type 2"),
    ("EHLERS–DANLOS  SYNDROME (TYPE 2)", "Ehlers-Danlos syndrome, type 2"),
    ("sjogren syndrome", "Sjögren syndrome"),
    ("ＦＧＦＲ２", "FGFR2"),
    ("FGFR2\u200b", "fgfr2"),
    ("crohn ' s disease", "Crohn's disease"),
    ("TNF-alpha", "TNF-α"),
    ("il - 6", "IL-6"),
    (" Marfan\nsyndrome. ", "Marfan syndrome"),
    ("10^5", "10⁵"),
]
DIFFERENT = [
    ("Ehlers-Danlos syndrome, type 1", "Ehlers-Danlos syndrome, type 2"),
    ("Usher syndrome type 1", "Usher syndrome type 11"),
    ("FGFR3", "FGFR2"),
    ("FGFR", "FGFR2"),
    ("FGFR2 FGFR3", "FGFR2"),
    ("hepatitis", "Hepatitis A"),
    ("hepatitis B", "Hepatitis A"),
    ("no cataract", "Cataract"),
    ("not Marfan syndrome", "Marfan syndrome"),
    ("Nonsyndromic deafness", "Syndromic deafness"),
    ("Autosomal recessive inheritance", "Autosomal dominant inheritance"),
    ("Hypokalemia", "Hyperkalemia"),
    ("CRP >5 mg/L", "CRP <5 mg/L"),
    ("5 mg", "5 µg"),
    ("15 mg", "1.5 mg"),
    ("105", "10⁵"),
    ("-5", "5"),
    ("CD4+", "CD4-"),
    ("syndrome", "Marfan syndrome"),
    ("Marfan syndrome or Loeys-Dietz syndrome", "Marfan syndrome"),
]


@pytest.mark.parametrize(("answer", "gold"), SAME)
def test_writing_differences_do_not_matter(answer, gold):
    assert match.matches(answer, [gold])


@pytest.mark.parametrize(("answer", "gold"), DIFFERENT)
def test_different_answers_differ_both_ways(answer, gold):
    assert not match.matches(answer, [gold])
    assert not match.matches(gold, [answer])


@pytest.mark.parametrize("empty", ["", " ", "...", "-", "\u200b"])
def test_an_empty_answer_matches_nothing(empty):
    # "..." == "" after normalisation would match an empty alias
    assert not match.matches(empty, ["", "...", "Marfan syndrome"])


@given(st.text(max_size=40) | st.text(alphabet="-5 aµ⁵İς", max_size=8))
@settings(max_examples=300, deadline=None)
def test_normalising_twice_changes_nothing(text):
    once = match.normalize(text)
    assert match.normalize(once) == once


@given(st.text(alphabet="ab1-', ()", min_size=1, max_size=20))
def test_text_with_spaced_punctuation_equals_the_original(text):
    spaced = "".join(f" {char} " if char in "-',()" else char for char in text)
    # a minus that opens a number is the one sign that spacing loses
    if not any(word.startswith("-") for word in match.words(text)):
        assert match.words(spaced) == match.words(text)


def test_mentions_is_bounded_by_words():
    text = "Associated genes: FGFR21; COL5A1."
    assert match.mentions(text, ["COL5A1"])
    assert not match.mentions(text, ["FGFR2"])
    assert not match.mentions(text, ["", "-"])


NAMES = {
    "D": ("Marfan syndrome", "MFS1"),
    "G": ("FBN1",),
    "E": ("Ectopia lentis",),
}


def question(*hops: Hop, answer: str, answer_id: str) -> Question:
    clue = Clue(relation=Relation.HAS_PHENOTYPE, entity_id="HP:1", text="tall stature")
    return Question(
        question_id="q",
        text="?",
        chain=Chain(clues=(clue,), hops=hops, seed_id="D"),
        num_hops=1 + len(hops),
        answer=answer,
        answer_id=answer_id,
        answer_kind=Kind.GENE,
    )


def states(doc_id, text, asked):
    return match.supports(doc_id, text, asked, lambda entity_id: NAMES[entity_id])


def test_support_comes_from_either_end_of_the_last_hop():
    hop = Hop(relation=Relation.ASSOCIATED_GENE, source_id="D", target_id="G")
    asked = question(hop, answer="FBN1", answer_id="G")
    assert states("D", "Marfan syndrome. Associated genes: FBN1.", asked)
    assert states("G", "FBN1. Associated diseases: MFS1; Ectopia lentis.", asked)
    # right document, but it does not say it
    assert not states("D", "Marfan syndrome. Associated genes: FBN2.", asked)
    assert not states("G", "FBN1. Associated diseases: Ectopia lentis.", asked)
    # says it, but about something else
    assert not states("E", "Ectopia lentis. Associated genes: FBN1. See Marfan syndrome.", asked)


def test_only_the_last_hop_counts():
    first = Hop(relation=Relation.ASSOCIATED_GENE, source_id="E", target_id="G", inverse=False)
    last = Hop(relation=Relation.ASSOCIATED_GENE, source_id="G", target_id="D", inverse=True)
    asked = question(first, last, answer="Marfan syndrome", answer_id="D")
    assert states("G", "FBN1. Associated diseases: Marfan syndrome.", asked)
    assert not states("E", "Ectopia lentis. FBN1. Marfan syndrome.", asked)


def test_without_hops_the_answers_own_document_supports():
    asked = question(answer="Marfan syndrome", answer_id="D")
    assert states("D", "Marfan syndrome. Tall stature.", asked)
    assert not states("E", "Ectopia lentis. Marfan syndrome.", asked)
    assert match.entity_ids(asked.chain, asked.answer_id) == ("D",)


def test_a_set_is_right_when_every_member_is_there_and_no_other():
    asked = msgspec.structs.replace(
        question(Hop(relation=Relation.ASSOCIATED_GENE, source_id="D", target_id="G"),
                 answer="FBN1; TGFBR2", answer_id="G"),
        answer_set=(("G", "FBN1", "fibrillin 1"), ("H", "TGFBR2")),
    )  # fmt: skip
    for right in ("FBN1; TGFBR2", "TGFBR2, FBN1", "fibrillin 1 and TGFBR2"):
        assert match.is_correct(right, asked)
    for wrong in ("FBN1", "FBN1; TGFBR2; ABC1", "FBN1; FBN1; TGFBR2", "FBN1; FBN1", ""):
        assert not match.is_correct(wrong, asked)
    assert match.supports("D", "Genes: TGFBR2; fibrillin 1.", asked, lambda one: ())
    assert not match.supports("D", "Genes: FBN1.", asked, lambda one: ())
    assert not match.supports("G", "FBN1 and TGFBR2 of D", asked, lambda one: ())


def test_only_an_abstention_is_right_where_nothing_is_stated():
    hop = Hop(relation=Relation.HAS_ONSET, source_id="D", target_id="")
    asked = question(hop, answer="", answer_id="")
    assert match.is_correct("Unknown", asked) and match.is_correct("not stated", asked)
    assert not match.is_correct("Adult onset", asked) and not match.is_correct("", asked)
    assert match.entity_ids(asked.chain, asked.answer_id) == ("D",)
    assert match.supports("D", "", asked, lambda one: ())
    assert not match.supports("E", "unknown", asked, lambda one: ())
