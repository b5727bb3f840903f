"""Formulas of bedside medicine for the calculator, each with its unit and its source."""

import dataclasses
import inspect
import math
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Formula:
    """A named function of numbers."""

    function: Callable[..., float]
    unit: str
    source: str

    @property
    def usage(self) -> str:
        """``bmi(weight_kg, height_m)``."""
        arguments = ", ".join(inspect.signature(self.function).parameters)
        return f"{self.function.__name__}({arguments})"


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name}={value:g} must be above 0")


def bmi(weight_kg: float, height_m: float) -> float:
    """weight / height²."""
    _positive(weight_kg=weight_kg, height_m=height_m)
    if height_m > 3:
        raise ValueError(f"height_m={height_m:g} is in metres, not in centimetres")
    return weight_kg / height_m**2


def body_surface_area(weight_kg: float, height_cm: float) -> float:
    """√(height weight / 3600)."""
    _positive(weight_kg=weight_kg, height_cm=height_cm)
    return math.sqrt(height_cm * weight_kg / 3600)


def egfr_ckd_epi_2021(creatinine_mg_dl: float, age_years: float, female: float) -> float:
    """142 min(Scr/κ, 1)^α max(Scr/κ, 1)^-1.2 0.9938^age, times 1.012 for women."""
    _positive(creatinine_mg_dl=creatinine_mg_dl, age_years=age_years)
    kappa, alpha, factor = (0.7, -0.241, 1.012) if _is_female(female) else (0.9, -0.302, 1.0)
    ratio = creatinine_mg_dl / kappa
    return 142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.2 * 0.9938**age_years * factor


def cockcroft_gault(
    creatinine_mg_dl: float, age_years: float, weight_kg: float, female: float
) -> float:
    """(140 - age) weight / (72 Scr), times 0.85 for women."""
    _positive(creatinine_mg_dl=creatinine_mg_dl, age_years=age_years, weight_kg=weight_kg)
    if age_years >= 140:
        raise ValueError(f"age_years={age_years:g} must be below 140")
    clearance = (140 - age_years) * weight_kg / (72 * creatinine_mg_dl)
    return clearance * (0.85 if _is_female(female) else 1.0)


def qtc_bazett(qt_ms: float, heart_rate_bpm: float) -> float:
    """QT / √(RR in seconds)."""
    _positive(qt_ms=qt_ms, heart_rate_bpm=heart_rate_bpm)
    return qt_ms / math.sqrt(60 / heart_rate_bpm)


def qtc_fridericia(qt_ms: float, heart_rate_bpm: float) -> float:
    """QT / ∛(RR in seconds)."""
    _positive(qt_ms=qt_ms, heart_rate_bpm=heart_rate_bpm)
    return qt_ms / (60 / heart_rate_bpm) ** (1 / 3)


def anion_gap(sodium_mmol_l: float, chloride_mmol_l: float, bicarbonate_mmol_l: float) -> float:
    """Na - (Cl + HCO3)."""
    return sodium_mmol_l - (chloride_mmol_l + bicarbonate_mmol_l)


def corrected_calcium(calcium_mg_dl: float, albumin_g_dl: float) -> float:
    """Ca + 0.8 (4 - albumin)."""
    return calcium_mg_dl + 0.8 * (4 - albumin_g_dl)


def corrected_sodium(sodium_mmol_l: float, glucose_mg_dl: float) -> float:
    """Na + 1.6 (glucose - 100) / 100."""
    return sodium_mmol_l + 1.6 * (glucose_mg_dl - 100) / 100


def mean_arterial_pressure(systolic_mmhg: float, diastolic_mmhg: float) -> float:
    """diastolic + (systolic - diastolic) / 3."""
    return diastolic_mmhg + (systolic_mmhg - diastolic_mmhg) / 3


def ldl_friedewald(total_mg_dl: float, hdl_mg_dl: float, triglycerides_mg_dl: float) -> float:
    """total - HDL - triglycerides / 5; not valid above 400 mg/dL of triglycerides."""
    if triglycerides_mg_dl > 400:
        raise ValueError("triglycerides_mg_dl is above 400, where the formula does not hold")
    return total_mg_dl - hdl_mg_dl - triglycerides_mg_dl / 5


def post_test_probability(pre_test_probability: float, likelihood_ratio: float) -> float:
    """odds / (1 + odds) with odds = p / (1 - p) times the likelihood ratio."""
    if not 0 <= pre_test_probability < 1 or likelihood_ratio < 0:
        raise ValueError("pre_test_probability must be from 0 to below 1, likelihood_ratio >= 0")
    odds = pre_test_probability / (1 - pre_test_probability) * likelihood_ratio
    return odds / (1 + odds)


def _is_female(female: float) -> bool:
    if female not in (0, 1):
        raise ValueError(f"female={female:g} must be 1 or 0")
    return bool(female)


_ALL = (
    (bmi, "kg/m²", "Quetelet index; Keys et al. 1972, J Chronic Dis 25:329"),
    (body_surface_area, "m²", "Mosteller 1987, N Engl J Med 317:1098"),
    (egfr_ckd_epi_2021, "mL/min/1.73 m²", "CKD-EPI 2021, Inker et al., N Engl J Med 385:1737"),
    (cockcroft_gault, "mL/min", "Cockcroft and Gault 1976, Nephron 16:31"),
    (qtc_bazett, "ms", "Bazett 1920, Heart 7:353"),
    (qtc_fridericia, "ms", "Fridericia 1920, Acta Med Scand 53:469"),
    (anion_gap, "mmol/L", "Emmett and Narins 1977, Medicine 56:38 (without potassium)"),
    (corrected_calcium, "mg/dL", "Payne et al. 1973, Br Med J 4:643"),
    (corrected_sodium, "mmol/L", "Katz 1973, N Engl J Med 289:843"),
    (mean_arterial_pressure, "mmHg", "one third of the pulse pressure above diastole"),
    (ldl_friedewald, "mg/dL", "Friedewald et al. 1972, Clin Chem 18:499"),
    (post_test_probability, "", "Bayes' theorem in odds"),
)
FORMULAS = {
    function.__name__: Formula(function=function, unit=unit, source=source)
    for function, unit, source in _ALL
}
"""Name -> formula."""
