from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as draws

from lcl_lab.reporting import Table, format_condition, format_interval, format_p, format_value, render, table_text
from lcl_lab.reporting.text import format_narrow

from .factories import comparison, estimate


def test_intervals_and_p_values() -> None:
    assert format_interval(0.5, 0.41, 0.599) == "0.500 [0.410, 0.599]"
    assert format_interval(-0.5, -0.6, 0.1, decimals=2, signed=True) == "-0.50 [-0.60, +0.10]"
    assert (format_p(0.0312), format_p(0.00099)) == ("p = 0.031", "p < 0.001")
    assert (
        format_condition({"shots": 4.0, "false_ratio": 0.25, "words": "real"})
        == "shots 4, false_ratio 0.25, words real"
    )


@given(draws.floats(-1, 1), draws.integers(0, 4), draws.booleans())
def test_nothing_is_minus_zero(value: float, decimals: int, signed: bool) -> None:
    texts = [format(value, signed, decimals) for format in (_interval, _narrow, _rendered)]
    texts += [format_value(0.0 * value), *table_text(Table.from_rows("values", [{"value": value}])).iloc[0]]
    assert not [text for text in texts if re.search(r"-0?(\.0*)?(?![.\d])", text)]


@given(
    draws.integers(1, 2000).flatmap(lambda n: draws.tuples(draws.integers(0, n), draws.just(n))), draws.integers(1, 3)
)
def test_decimals_are_rounded_half_up_as_on_paper(counts: tuple[int, int], decimals: int) -> None:
    right, n = counts
    units = (2 * right * 10**decimals + n) // (2 * n)  # in whole numbers, which are exact
    expected = f"{units // 10**decimals}.{units % 10**decimals:0{decimals}d}"
    value = right / n
    row = {"estimate": value, "low": value, "high": value}
    texts = [
        format_interval(value, value, value, decimals),
        format_interval(value - 0.5 + 0.5, value, value, decimals),  # with the noise of arithmetic
        format_narrow(value, value, value, decimals),
        render(f"{{x:.{decimals}f}}", {"x": value}),
        table_text(Table.from_rows("c", [row], decimals=decimals))["value"].iloc[0],
    ]
    assert [text.split()[0] for text in texts] == [expected] * len(texts)
    percents = (200 * right + n) // (2 * n)
    assert render("{x:.0%}", {"x": value}) == f"{percents}%"


def test_the_accuracies_of_the_reports_are_rounded_like_those() -> None:
    assert format_interval(0.965, 0.125, 0.5 - 0.375, decimals=2) == "0.97 [0.13, 0.13]"
    assert format_interval(-0.965, -0.005, 0.0, decimals=2, signed=True) == "-0.97 [-0.01, +0.00]"
    assert format_p(0.0125) == "p = 0.013"


def _interval(value: float, signed: bool, decimals: int) -> str:
    return format_interval(value, value, value, decimals, signed)


def _narrow(value: float, signed: bool, decimals: int) -> str:
    return format_narrow(value, value, value, decimals, signed)


def _rendered(value: float, signed: bool, decimals: int) -> str:
    return render(f"{{x:{'+' if signed else ''}.{decimals}f}} {{x:.{decimals}%}}", {"x": value})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{x}", "0.500 [0.400, 0.600]"),
        ("{x:2}", "0.50 [0.40, 0.60]"),
        ("{x:g}", "0.5 [0.4, 0.6]"),
        ("{x:value}", "0.500"),
        ("{d}", "-0.250 [-0.350, -0.150]"),
        ("{d:p}", "p < 0.001"),
        ("{d:value}", "-0.250"),
        ("{d.value_a:.2f} of {d.n}", "0.75 of 100"),
        ("{p:p}", "p = 0.050"),
        ("{share:.0%}", "25%"),
        ("{model} and {model_before}", "**mini/mix** and **mini/base**"),
        ("{count} {ratio}", "3 0.5"),
    ],
)
def test_templates(template: str, text: str) -> None:
    values = {
        "x": estimate("candidate"), "d": comparison("candidate"), "p": 0.05, "share": 0.25, "model": "mini/mix",
        "model_before": "mini/base", "count": 3, "ratio": 0.5,
    }  # fmt: skip
    assert render(template, values) == text


def test_a_p_value_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="the accuracy has no p-value"):
        render("{x:p}", {"x": estimate(None)})


def test_names_of_models_are_values_and_never_templates() -> None:
    assert render("{model}", {"model": "{x.__class__}"}) == "**{x.__class__}**"


def test_an_odds_ratio_of_a_perfect_accuracy_has_no_end() -> None:
    infinite, nan = float("inf"), float("nan")
    assert format_interval(infinite, 2.4, infinite) == "∞ [2.400, ∞]"
    assert format_interval(nan, 0.0, infinite) == "undefined"


def test_a_narrow_interval_has_no_leading_zeros() -> None:
    assert format_narrow(0.95, 0.91, 0.98, decimals=2) == "0.95\n.91–.98"
    assert format_narrow(-0.01, -0.16, 0.14, decimals=2) == "-0.01\n-.16–.14"
