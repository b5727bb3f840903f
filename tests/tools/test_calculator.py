"""The calculator: a grammar, formulas with sources, nothing else."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medr_jax.tools.base import ToolError, check_arguments
from medr_jax.tools.calculator import MAX_CHARS, CalculatorTool
from medr_jax.tools.formulas import FORMULAS

tool = CalculatorTool()


def value(expression: str) -> float:
    return float(tool(expression=expression).text.rpartition(" = ")[2].split()[0])


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("2+3*4", 14),
        ("-2**2", -4),  # as in mathematics: -(2²)
        ("(1 + 2) / 4", 0.75),
        ("7 // 2 + 7 % 2", 4),
        ("sqrt(16) + ln(e) + max(1, 2, 3)", 8),
        ("round(2.567, 1)", 2.6),
        ("1e3", 1000),
        ("2*pi", 2 * math.pi),
        ("10**21 + 1", 1e21),
    ],
)
def test_arithmetic(expression, expected):
    assert value(expression) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("bmi(80, 1.75)", 26.122),
        ("body_surface_area(70, 170)", 1.8181),
        # Woman of 55 with 0.6: 142 (0.6/0.7)^-0.241 0.9938^55 1.012.
        ("egfr_ckd_epi_2021(0.6, 55, 1)", 105.93),
        # Man of 55 with 1.5: 142 (1.5/0.9)^-1.2 0.9938^55; the 2009 equation gives 51.
        ("egfr_ckd_epi_2021(creatinine_mg_dl=1.5, age_years=55, female=0)", 54.63),
        ("cockcroft_gault(1.1, 70, 72, 0)", 63.636),
        ("cockcroft_gault(1.1, 70, 72, 1)", 54.091),
        ("qtc_bazett(400, 60)", 400),
        ("qtc_bazett(360, 100)", 464.76),
        ("qtc_fridericia(360, 100)", 426.83),
        ("anion_gap(140, 104, 24)", 12),
        ("corrected_calcium(8, 2.5)", 9.2),
        ("corrected_sodium(130, 600)", 138),
        ("mean_arterial_pressure(120, 80)", 93.333),
        ("ldl_friedewald(200, 50, 150)", 120),
        ("post_test_probability(0.1, 9)", 0.5),
    ],
)
def test_formulas(expression, expected):
    assert value(expression) == pytest.approx(expected, rel=1e-3)


def test_a_formula_names_its_unit_and_source():
    text = tool(expression="bmi(80, 1.75)").text
    assert text.startswith("bmi(80, 1.75) = 26.12244898 kg/m² (")
    assert "Quetelet" in text
    assert "Cockcroft" in tool(expression="2 * cockcroft_gault(1, 40, 70, 0)").text


def test_the_model_is_told_every_formula():
    for formula in FORMULAS.values():
        assert formula.usage in tool.description
        assert formula.source
        assert formula.function.__doc__


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1/0", "division by zero"),
        ("10**10**10", "too large"),
        ("9**9**9**9", "too large"),
        ("exp(1e6)", "too large"),
        ("(-8)**0.5", "not defined"),
        ("sqrt(-1)", "not defined"),
        ("1e308*10", "no finite number"),
        ("2^3", "write \\*\\* for powers"),
        ("1 +", "cannot read"),
        ("", "cannot read"),
        ("\x00", "cannot read"),
        ("True + 1", "only real numbers"),
        ("1j", "only real numbers"),
        ("'a' * 10**9", "cannot be used"),
        ("(1).__class__", "cannot be used"),
        ("__import__('os').system('ls')", "cannot be used|no function"),
        ("open('x')", "no function 'open'; there are: sqrt"),
        ("[x for x in (1, 2)]", "cannot be used"),
        ("lambda: 1", "cannot be used"),
        ("x", "cannot be used"),
        ("bmi(80)", "use bmi\\(weight_kg, height_m\\)"),
        ("bmi(**{})", "cannot be used"),
        ("bmi(80, 175)", "in metres"),
        ("bmi(80, 0)", "height_m=0 must be above 0"),
        ("ldl_friedewald(200, 50, 401)", "does not hold"),
        ("cockcroft_gault(1, 70, 72, 2)", "female=2 must be 1 or 0"),
        ("-" * 100 + "1", "nested deeper"),
        ("+".join("1" * 120), "nested deeper"),
    ],
)
def test_what_is_no_arithmetic_is_refused(expression, message):
    with pytest.raises(ToolError, match=message):
        tool(expression=expression)


def test_the_length_is_bounded():
    with pytest.raises(ToolError, match=f"the most is {MAX_CHARS}"):
        check_arguments(tool, {"expression": "1" * (MAX_CHARS + 1)})


@given(st.text(alphabet="0123456789.+-*/%()[]{}, eabimxy_'\"^~<>=:", max_size=60))
def test_any_text_is_worked_out_or_refused(expression):
    try:
        assert "=" in tool(expression=expression).text
    except ToolError as error:
        assert str(error)
