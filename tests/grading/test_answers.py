import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medr_jax.grading import answers
from medr_jax.grading.abbreviations import is_abbreviation
from medr_jax.grading.answers import choice, equal, grade, verdict
from medr_jax.grading.synonyms import SynonymTable
from medr_jax.types import Entity, Kind


def test_a_letter_in_a_name_is_no_choice():
    # a parser that looks for a stand-alone A/B/C first reads "A" here and calls it correct
    assert choice("Hepatitis A. The extracted answer does not fit. correct: no") is None
    assert verdict("Hepatitis A. The extracted answer does not fit. correct: no") == "no"
    assert choice("A patient with hepatitis B") is None
    assert choice("vitamin C") is None


def test_a_label_before_the_verdict_does_not_hide_it():
    # comparing the whole match "correct: yes" with "yes" makes accuracy always 0
    assert verdict("correct: yes") == "yes"
    assert grade("Answer: yes", "yes").correct
    assert grade("reasoning: it is.\ncorrect: yes", "yes").correct


@pytest.mark.parametrize(
    "text", ["yes and no", "yes or no", "No, yes", "not yes", "no evidence", ""]
)
def test_no_clear_verdict(text):
    assert verdict(text) is None


def test_numbers_between_signs_survive():
    # a cleaner that strips what stands between < and > turns this into "CRP 150"
    text = "CRP <5 mg/L and platelets >150"
    assert not equal("CRP 150", text)
    assert equal("CRP < 5 mg/l and platelets > 150", text)


def test_synonyms_replace_no_part_of_a_word_or_phrase():
    table = SynonymTable({"D1": ("acute myocardial infarction", "AMI", "MI"), "D2": ("migraine",)})
    assert table.same("MI", "acute myocardial infarction")
    # substring replacement makes "acute myocardial infarctiongraine" of "migraine"
    assert not table.same("migraine", "MI")
    assert table.entity_id("MI carrier") is None
    assert not grade("familial MI", "acute myocardial infarction", synonyms=table).correct


def test_an_ambiguous_synonym_names_nothing():
    entities = [
        Entity(id="D1", kind=Kind.DISEASE, name="multiple sclerosis", synonyms=("MS",)),
        Entity(id="D2", kind=Kind.PHENOTYPE, name="mitral stenosis", synonyms=("MS",)),
    ]
    table = SynonymTable.of(entities)
    assert table.entity_id("MS") is None
    assert table.entity_id("sclerosis, multiple") == "D1"
    assert table.entity_id("multiple sclerosis (MS)") == "D1"


def test_synonyms_reach_the_items_of_a_set():
    table = SynonymTable({"D1": ("cystic fibrosis", "mucoviscidosis")})
    assert grade("asthma, mucoviscidosis", "cystic fibrosis; asthma", "set", synonyms=table).correct


def test_a_set_scores_by_what_is_found_and_what_is_too_much():
    found = grade("a1, b2, x9", "a1, b2, c3", "set")
    # 2 found: F1 = 4 / (3 + 2 + 1); a recall-only score would be 2/3 for any number of guesses
    assert not found.correct and found.score == pytest.approx(4 / 6)


def test_order_counts_in_a_list_only():
    assert grade("b2, a1", "a1, b2", "set").correct
    assert not grade("b2, a1", "a1, b2", "list").correct
    assert grade("first, a1\nthen b2", "a1; b2", "list").correct


def test_a_swap_of_qualifiers_is_seen():
    assert not equal(
        "left atrial and right ventricular dilatation",
        "right atrial and left ventricular dilatation",
    )
    assert not equal(
        "left atrial, right ventricular dilatation", "right atrial, left ventricular dilatation"
    )
    assert not equal("inhibitor of the activator", "activator of the inhibitor")
    assert not equal("chronic hepatitis with liver failure", "hepatitis with chronic liver failure")


def test_hedges_and_gradings_of_certainty_are_kept():
    assert not equal("likely pathogenic", "pathogenic")
    assert not equal("The variant is likely pathogenic.", "pathogenic")
    assert not equal("possible Marfan syndrome", "Marfan syndrome")
    assert not equal("Marfan syndrome, not confirmed", "Marfan syndrome")
    assert not equal("Marfan syndrome, which is not the cause", "Marfan syndrome")


def test_choices_by_letter_and_by_text():
    options = ("Metformin", "Insulin", "Vitamin C")
    assert (
        choice("(b)", options) == choice("B. Insulin", options) == choice("insulin", options) == "B"
    )
    assert choice("Option C", options) == choice("ascorbic acid", options) == "C"
    assert choice("A, B", options) is None
    assert choice("A or C", options) is None
    assert choice("Metformin or insulin", options) is None


def test_abbreviations_only_beside_their_long_form():
    assert is_abbreviation("MFS", "Marfan syndrome")
    assert is_abbreviation("FGFR2", "fibroblast growth factor receptor 2")
    assert not is_abbreviation("FGFR2", "fibroblast growth factor receptor 3")
    assert not is_abbreviation("XYZ", "Marfan syndrome")
    assert equal("cystic fibrosis (CF)", "cystic fibrosis")
    assert not equal("cystic fibrosis (mild)", "cystic fibrosis")
    assert not equal("CF", "cystic fibrosis")


VOCABULARY = (
    "no not left right type stage acute chronic 2 3 II III A B mg g 5 50 FGFR2 FGFR3 , ; ( ) . - + "
    "< syndrome disease of and or March 2020 cataract autosomal dominant recessive % / ' 10⁵ µg"
)
WORDS = st.sampled_from(VOCABULARY.split())


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=7).map(" ".join) | st.text(max_size=25))
def test_grading_never_fails_and_every_answer_equals_itself(text):
    assert isinstance(grade(text, "Marfan syndrome").correct, bool)
    if answers.forms(text):
        assert equal(text, text)
        assert equal(text, text.lower()) or any(char.isupper() for char in text)


@settings(max_examples=60)
@given(st.lists(WORDS, min_size=1, max_size=5).map(" ".join))
def test_a_negation_is_never_equal_to_the_statement(text):
    if answers.forms(text) and not {"no", "not"} & set(text.split()):
        assert not equal(f"not {text}", text)
        assert not equal(text, f"not {text}")


@pytest.mark.parametrize(
    "text",
    [
        "Final answer: FGFR2",
        "I read ten papers about FGFR3.\nFinal answer: FGFR2",
        "FGFR3 is not it. <answer>FGFR2</answer>",
        r"so \boxed{\text{FGFR2}}",
        "I think that the causative gene in this family is FGFR2.",
        "FGFR2. It encodes a receptor.",
        "FGFR2, which encodes a receptor",
        "FGFR2 (HGNC:3689)",
        "FGFR2, also known as CEK3",
        "FGFR2 is the answer",
    ],
)
def test_wrapping_does_not_matter(text):
    assert grade(text, "FGFR2").correct


@pytest.mark.parametrize(
    "text",
    [
        "Final answer: FGFR3. FGFR2 was considered.",
        "FGFR2. It was excluded later.",
        "FGFR2, a gene that is unlikely to be involved",
        "FGFR2 or another gene",
        "FGFR2 (or FGFR3)",
        "The gene is not FGFR2",
        "everything but FGFR2",
        "FGFR2 is not the answer",
    ],
)
def test_wrapping_that_denies_or_doubts_is_kept(text):
    assert not grade(text, "FGFR2").correct


def test_a_repetition_in_brackets():
    assert equal("5 mg (5000 µg)", "5 mg")
    assert not equal("5 mg (5 µg)", "5 mg")


@pytest.mark.parametrize(("one", "other"), [("gene therapy", "therapy"), ("blood type", "blood")])
def test_nouns_that_are_part_of_a_name_stay(one, other):
    assert not equal(one, other) and not equal(other, one)


def test_hostile_texts_are_cheap():
    for text in ("1e999999999", "9" * 5000, "(" * 20000, "not " * 20000, "1/" * 20000):
        assert not grade(text, "FGFR2").correct
    assert grade("word " * 20000 + "\nFinal answer: FGFR2", "FGFR2").correct


@pytest.mark.parametrize(
    ("prediction", "gold", "same"),
    [
        # one thing by two names, in brackets; a rival, a detail or a doubt there is none
        ("Tylenol (acetaminophen)", "acetaminophen", True),
        ("Hansen disease (leprosy)", "leprosy", True),
        ("KIT (mast/stem cell growth factor receptor)", "KIT", True),
        ("KRAS (NRAS)", "KRAS", False),
        ("hypercalcemia (hypocalcemia)", "hypercalcemia", False),
        ("nephritis (lupus)", "lupus", True),
        ("hearing loss (conductive)", "hearing loss", False),
        ("lymphoma (stage II)", "lymphoma", False),
        ("fracture (left femur)", "fracture", False),
        ("Hunter syndrome (mucopolysaccharidosis II)", "mucopolysaccharidosis type 2", True),
        (
            "shock lung (acute respiratory distress syndrome)",
            "acute respiratory distress syndrome",
            True,
        ),
        ("aspirin (or ibuprofen)", "aspirin", False),
        ("Recruiting (since 2021)", "Recruiting", True),
        ("Recruiting (not yet)", "Recruiting", False),
        # lead-ins with any subject but one that stands for something else
        ("The primary endpoint was overall survival", "overall survival", True),
        ("The liver is affected", "the kidney is affected", False),  # the gold answer's subject
        ("The dose was doubled", "doubled", True),
        ("Almost certainly Pompe disease", "Pompe disease", True),
        ("likely benign", "benign", False),
        ("The second most likely diagnosis is Pompe disease", "Pompe disease", False),
        ("The opposite is true", "true", False),
        # a date at the end of a sentence, behind "on" or "in"
        ("The trial was completed on 3 May 2017.", "2017-05-03", True),
        ("The trial was not completed on 3 May 2017", "2017-05-03", False),
        ("It ran until 3 May 2017", "2017-05-03", False),
        ("It opened in May 2016 and closed on 3 May 2017", "2017-05-03", False),
        ("third quarter of 2021", "2021 Q3", True),
        ("Q2 2021", "Q3 2021", False),
        # addresses of records
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1234567/", "PMC1234567", True),
        ("https://omim.org/entry/154700", "OMIM:154700", True),
        ("https://omim.org/entry/154701", "OMIM:154700", False),
        # numbers
        ("12 345", "12345", True),
        ("two thirds", "2/3", True),
        ("one quarter", "1/3", False),
        ("stage III/IV", "stage 3/4", True),
        ("stage III/V", "stage 3/4", False),
        ("every 8 hours", "three times daily", True),
        ("every 8 hours", "twice daily", False),
        # what may be left out
        ("ECOG performance status 2", "ECOG 2", True),
        ("ECOG performance status 2", "ECOG 3", False),
        ("KRAS G12D variant", "KRAS G12D", True),
        ("Amgen Inc.", "Amgen", True),
        ("Amgen Pharmaceuticals", "Biogen Pharmaceuticals", False),
        ("axitinib combined with avelumab", "avelumab and axitinib", True),
    ],
)
def test_general_rules_and_where_they_end(prediction, gold, same):
    assert grade(prediction, gold).correct is same
