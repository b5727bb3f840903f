import pytest

from medr_jax.grading.terms import read

EQUAL = [
    ("0.5 mg", "500 mcg"),
    ("0.5 mg", "500 µg"),  # U+00B5
    ("0.5 mg", "500 μg"),  # U+03BC
    ("1,500 mg", "1.5 g"),
    ("1,5 mg", "1.5 mg"),
    ("five milligrams", "5mg"),
    ("twenty-five mg", "25 mg"),
    ("5 mg per kg per day", "5 mg/kg/day"),
    ("100 mg/dL", "1 g/L"),
    ("1 mmol/L", "1 mM"),
    ("5000 cells/µL", "5000/mm3"),
    ("72 bpm", "72 beats per minute"),
    ("60 mL/min/1.73 m²", "60 ml/min/1.73m2"),
    ("98.6 °F", "37 °C"),
    ("2 years", "24 months"),
    ("3-year-old", "3 years old"),
    ("50%", "50 per cent"),
    ("50 %", "0.5"),
    ("10⁵", "10^5"),
    ("10⁻⁵ g", "10 μg"),
    ("1.5 × 10⁵", "150000"),
    ("5–10 mg", "5 mg to 10 mg"),
    ("between 5 and 10 mg", "5-10 mg"),
    ("14 out of 15", "14/15"),
    ("1:1000", "1 in 1000"),
    (">= 5 mg", "at least 5 mg"),
]
DIFFERENT = [
    ("5 mg", "5 µg"),
    ("5 mg", "5 g"),
    ("5 mg", "50 mg"),
    ("5 mg", "5 mL"),
    ("5 mg", "5"),
    ("5 mg", "-5 mg"),
    ("5 mg/kg", "5 mg"),
    ("5 mg/kg", "0.000005"),  # mass over mass must not cancel
    ("5 mM", "5 mm"),
    ("1,500 mg", "1.5 mg"),  # a thousands separator is no decimal comma
    ("4 weeks", "1 month"),
    ("37 °C", "37 °F"),
    ("10^5", "105"),
    ("10⁵", "10⁻⁵"),
    ("5-10 mg", "5 mg"),
    ("14/15", "28/30"),  # 14 of 15 patients is not 28 of 30
    ("> 5 mg", "≥ 5 mg"),
    ("> 5 mg", "5 mg"),
    ("1990s", "1990 s"),
]


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_one_quantity_in_two_spellings(one, other):
    assert [t for t in read(one) if t != "to"] == [t for t in read(other) if t != "to"]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_values_and_units_stay_apart(one, other):
    assert read(one) != read(other)


def test_digits_of_names_are_no_numbers():
    assert read("FGFR2") == ("fgfr2",)
    assert read("vitamin B12 5 mcg")[:2] == ("vitamin", "b12")
    assert read("2A") == ("2a",)
    assert read("IL-6") == ("il", "6")  # and not "il" with minus six


def test_values_are_exact():
    # as floats 0.1 + 0.2 != 0.3; 0.3 g must be 300 mg
    assert read("0.3 g") == read("300 mg") == ("3/10 mass/",)
