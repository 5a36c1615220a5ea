"""Numbers to text: the only place where an estimate, an interval or a p-value becomes words.

Decimals are rounded half up, as on paper: 193 of 200 is 0.965, so 0.97, although the binary number nearest to 0.965 is
a little smaller. `format_number` does so, for all others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext
from string import Formatter
from typing import Any

from lcl_lab.analysis.detection import Detectable
from lcl_lab.analysis.estimates import Estimate

__all__ = [
    "format_condition",
    "format_detectable",
    "format_estimate",
    "format_interval",
    "format_narrow",
    "format_number",
    "format_p",
    "format_value",
    "render",
]


def format_interval(value: float, low: float, high: float, decimals: int = 3, signed: bool = False) -> str:
    """`0.950 [0.910, 0.980]`; with signs where it is a difference."""
    return _with_interval(value, low, high, f"{'+' if signed else ''}.{decimals}f")


def format_narrow(value: float, low: float, high: float, decimals: int = 3, signed: bool = False) -> str:
    """Value and interval on two lines, so that five conditions fit into 80 characters."""
    if signed:
        return format_interval(value, low, high, decimals, signed).replace(" ", "\n", 1)
    text = _with_interval(value, low, high, f".{decimals}f").replace(" [", "\n").replace(", ", "–").rstrip("]")
    return text.replace("\n0.", "\n.").replace("\n-0.", "\n-.").replace("–0.", "–.")


def _with_interval(value: float, low: float, high: float, form: str) -> str:
    """Value and interval; a ratio of two odds may be infinite, or undefined where both are."""
    if math.isnan(value):
        return "undefined"
    value_text, low_text, high_text = (format_number(number, form).replace("inf", "∞") for number in (value, low, high))
    return f"{value_text} [{low_text}, {high_text}]"


def format_estimate(estimate: Estimate, decimals: int = 3) -> str:
    """An estimate with its interval; a difference with signs."""
    return format_interval(estimate.value, estimate.low, estimate.high, decimals, estimate.signed)


def format_number(value: Any, form: str) -> str:
    """A value in one of Python's formats.

    Decimals and percentages are rounded half up from twelve decimals, which leave out the noise of binary arithmetic:
    the difference of 0.965 and 0.5 is 0.465, so 0.47. A negative number that is rounded to 0 has no minus sign.
    """
    if not isinstance(value, float) or not form.endswith(("f", "%")):
        return format(value, form)
    sign = "+" if form.startswith("+") else ""
    form = f"{sign}z{form.removeprefix(sign)}"
    if not math.isfinite(value):
        return format(value, form)
    with localcontext(rounding=ROUND_HALF_UP):
        return format(Decimal(f"{value:.12f}"), form)


def format_p(p_value: float) -> str:
    """`p = 0.031`, or `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {format_number(p_value, '.3f')}"


def format_detectable(detectable: Detectable) -> str:
    """What would have been detected, and what would decide an inconclusive result."""
    if math.isinf(detectable.difference):
        return f"no difference is detectable; at least {detectable.needed} {detectable.units} are needed"
    more = "more queries would hardly decide it"
    if detectable.needed is not None:
        more = f"about {detectable.needed:,} {detectable.units} would decide it"
    return f"detectable: {format_number(detectable.difference, '.2f')}; {more}"


def format_value(value: Any) -> str:
    """A value of a condition: 4.0 as 4, 0.25 as 0.25."""
    return f"{value + 0:g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def format_condition(values: Mapping[Any, Any]) -> str:
    """The values of a condition: `shots 4, false_ratio 0.5`."""
    return ", ".join(f"{name} {format_value(value)}" for name, value in values.items())


def render(template: str, values: Mapping[str, Any]) -> str:
    """Fill a template in the syntax of `str.format`.

    Estimates take these format specifications: none for value and interval with three decimals, a number for as many
    decimals, ``g`` for three significant digits (ratios may be small or large), ``p`` for the p-value, ``value`` for
    the value alone. Numbers take Python's own, and ``p``. Fields whose name begins with ``model`` are set in bold.
    """
    bold = {name: f"**{value}**" if name.startswith("model") else value for name, value in values.items()}
    return _EstimateFormatter().vformat(template, (), bold)


class _EstimateFormatter(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, float) and format_spec == "p":
            return format_p(value)
        if not isinstance(value, Estimate):
            return format_number(value, format_spec) if format_spec else format_value(value)
        if format_spec == "p":
            if value.p_value is None or math.isnan(value.p_value):
                raise ValueError(f"the {value.estimand} has no p-value")
            return format_p(value.p_value)
        if format_spec == "g":
            return _with_interval(value.value, value.low, value.high, ".3g")
        if format_spec == "value":
            return format_number(value.value, f"{'+' if value.signed else ''}.3f")
        return format_estimate(value, int(format_spec) if format_spec else 3)
