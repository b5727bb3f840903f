"""Units of measurement: what a unit expression such as "mg/kg/day" means, in base units.

A unit is a factor and two lists of dimensions, what stands above and what stands below the
line. Nothing cancels: "mg/kg" is mass per body mass and never equals a bare number.
"""

import re
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """``factor`` base units of ``above`` per ``below``."""

    factor: Fraction
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()


def _scaled(dimension: str, spellings: dict[str, str]) -> dict[str, Unit]:
    """ "kg kilogram": "1000" and so on as units of one dimension."""
    return {
        name.replace("_", " "): Unit(Fraction(factor), (dimension,))
        for names, factor in spellings.items()
        for name in names.split()
    }


_TABLE: dict[str, Unit] = {
    **_scaled(
        "mass",
        {
            "kg kilogram kilograms": "1000",
            "g gm gram grams": "1",
            "mg milligram milligrams": "1e-3",
            "μg ug mcg microgram micrograms": "1e-6",
            "ng nanogram nanograms": "1e-9",
            "pg picogram picograms": "1e-12",
        },
    ),
    **_scaled(
        "volume",
        {
            "L l liter liters litre litres": "1",
            "dL deciliter deciliters decilitre decilitres": "0.1",
            "mL cc cm3 milliliter milliliters millilitre millilitres": "1e-3",
            "μL uL mcL mm3 microliter microliters microlitre microlitres": "1e-6",
            "fL": "1e-15",
        },
    ),
    **_scaled(
        "amount",
        {
            "mol mole moles": "1",
            "mmol millimole millimoles": "1e-3",
            "μmol umol micromole micromoles": "1e-6",
            "nmol": "1e-9",
            "pmol": "1e-12",
        },
    ),
    **_scaled("charge", {"Eq": "1", "mEq": "1e-3"}),
    **_scaled(
        "activity",
        {"IU U unit units international_unit international_units": "1", "mIU mU": "1e-3"},
    ),
    **_scaled(
        "time",
        {
            "ms millisecond milliseconds": "1e-3",
            "s sec secs second seconds": "1",
            "min mins minute minutes": "60",
            "h hr hrs hour hours": "3600",
            "d day days": "86400",
            "wk wks week weeks": "604800",
        },
    ),
    # A month is no fixed number of days: years convert to months, not to weeks.
    **_scaled("months", {"mo mos month months": "1", "y yr yrs year years": "12"}),
    **_scaled(
        "length",
        {
            "km": "1000",
            "m meter meters metre metres": "1",
            "cm centimeter centimeters centimetre centimetres": "1e-2",
            "mm millimeter millimeters millimetre millimetres": "1e-3",
            "μm um micrometer micrometers micrometre micrometres micron microns": "1e-6",
            "nm nanometer nanometers nanometre nanometres": "1e-9",
        },
    ),
    **_scaled("area", {"m2 m^2": "1", "cm2 cm^2": "1e-4", "mm2 mm^2": "1e-6"}),
    **_scaled("standard body surface", {"1.73_m2 1.73m2 1.73_m^2 1.73m^2": "1"}),
    **_scaled("pressure", {"mmHg mm_Hg": "133.322387415", "kPa": "1000", "cmH2O": "98.0665"}),
    **_scaled("degree Celsius", {"°C degrees_C degrees_Celsius celsius": "1"}),
    **_scaled("degree Fahrenheit", {"°F degrees_F degrees_Fahrenheit fahrenheit": "1"}),
    **_scaled("absorbed dose", {"Gy": "1", "cGy": "1e-2", "mGy": "1e-3"}),
    **_scaled("equivalent dose", {"Sv": "1", "mSv": "1e-3", "μSv": "1e-6"}),
    **_scaled(
        "decay",
        {"Bq": "1", "kBq": "1e3", "MBq": "1e6", "GBq": "1e9", "Ci": "3.7e10", "mCi": "3.7e7"},
    ),
    **_scaled("energy", {"J": "1", "kJ": "1000", "kcal": "4184"}),
    **_scaled("frequency", {"Hz": "1", "kHz": "1000"}),
    **_scaled("voltage", {"V": "1", "mV": "1e-3"}),
    **_scaled("level", {"dB": "1"}),
    **_scaled("molecular mass", {"Da": "1", "kDa": "1000"}),
    **_scaled("bases", {"bp base_pairs": "1", "kb": "1000", "Mb": "1e6"}),
    "bpm": Unit(Fraction(1, 60), (), ("time",)),
    "%": Unit(Fraction(1, 100)),
    "percent": Unit(Fraction(1, 100)),
    "per cent": Unit(Fraction(1, 100)),
    "cells": Unit(Fraction(1)),
    "cell": Unit(Fraction(1)),
    "beats": Unit(Fraction(1)),
    "breaths": Unit(Fraction(1)),
    **{
        f"{prefix}M": Unit(Fraction(factor), ("amount",), ("volume",))
        for prefix, factor in {"": "1", "m": "1e-3", "μ": "1e-6", "u": "1e-6", "n": "1e-9"}.items()
    },
}
_FOLDED = {name.lower(): unit for name, unit in reversed(_TABLE.items())}
_COUNTS = frozenset({"cells", "cell", "beats", "breaths"})
"""What is counted per something: no unit by itself ("5 cells" stays two words)."""

_ATOM = "|".join(re.escape(name) for name in sorted(_TABLE, key=len, reverse=True))
_OVER = r"\s*/\s*|\s+per\s+(?!cent\b)|\s+an?\s+(?=day|week|month|year|minute|hour)"
EXPRESSION = rf"(?i:(?:{_ATOM})(?:(?:{_OVER})(?:{_ATOM}))*|(?:/\s*|per\s+)(?:{_ATOM}))(?![^\W_])"
"""Matches a whole unit expression, with or without something above the line."""
_SPLIT = re.compile(_OVER, re.I)


def parse(text: str) -> Unit | None:
    """The unit that ``text``, a match of ``EXPRESSION``, stands for; None for a mere count."""
    if text.lower() in _COUNTS:
        return None
    text = re.sub(r"^\s*(?:per\s+(?!cent\b)|/)\s*", "cells/", text)
    first, *rest = (_atom(name.strip()) for name in _SPLIT.split(text))
    factor, below = first.factor, list(first.below)
    for unit in rest:
        factor /= unit.factor
        below += unit.above
    return Unit(factor, first.above, tuple(sorted(below)))


def _atom(name: str) -> Unit:
    """The unit as written, else whatever its case: "M" is molar and "m" a metre, "MG" is mg."""
    return _TABLE[name] if name in _TABLE else _FOLDED[name.lower()]
