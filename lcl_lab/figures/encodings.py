"""Encodings that figures share: each model's colour and shape, and the layers of an estimate with its interval."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.theme import GREY, PALETTE

__all__ = [
    "INTERVAL_TOOLTIP",
    "PUBLISHED",
    "PUBLISHED_METRIC",
    "SHAPES",
    "color_and_shape",
    "dodge",
    "estimate_layers",
    "horizontal_rule",
    "series_names",
    "vertical_rule",
]

PUBLISHED = "published, other data"
PUBLISHED_METRIC = "open-ended"
"""The metric of the accuracies that the paper prints."""
SHAPES = ("circle", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left", "wedge")
INTERVAL_TOOLTIP = (
    alt.Tooltip("estimate:Q", format=".3f"),
    alt.Tooltip("low:Q", title="interval from", format=".3f"),
    alt.Tooltip("high:Q", title="interval to", format=".3f"),
)


def series_names(rows: pd.DataFrame, column: str = "model") -> list[str]:
    """The values of `column`, one series and colour each, in the order of the rows.

    Raises:
        UserError: there are no rows, or more values than colours.
    """
    names: list[str] = rows[column].drop_duplicates().tolist()
    if not names:
        raise UserError("there are no estimates to draw")
    if len(names) > len(PALETTE):
        raise UserError(f"{len(names)} {column}s in one figure are hard to distinguish: choose at most {len(PALETTE)}")
    return names


def color_and_shape(
    names: Sequence[str], title: str | None = "Model, with 95 % interval", column: str = "model"
) -> tuple[alt.Color, alt.Shape]:
    """Encodings that give each series a colour and a shape, with one legend for both; none without a title."""
    legend = None if title is None else alt.Legend(title=title, orient="bottom", direction="vertical")
    domain, field = list(names), f"{column}:N"
    colors = alt.Scale(domain=domain, range=list(PALETTE[: len(domain)]))
    shapes = alt.Scale(domain=domain, range=list(SHAPES[: len(domain)]))
    return (
        alt.Color(field, sort=domain, scale=colors, legend=legend),
        alt.Shape(field, sort=domain, scale=shapes, legend=legend),
    )


def dodge(rows: pd.DataFrame, names: Sequence[str], spread: float, column: str = "model") -> pd.Series:
    """The horizontal shift of each row, so that the intervals of different series do not overlap.

    Args:
        rows: the estimates.
        names: the series, from left to right.
        spread: the distance between neighbouring series, in units of the x axis.
        column: holds the name of the series.
    """
    middle = (len(names) - 1) / 2
    return rows[column].map({name: spread * (number - middle) for number, name in enumerate(names)}).astype(float)


def estimate_layers(
    rows: pd.DataFrame,
    x: alt.X,
    y: alt.Y,
    look: tuple[alt.Color, alt.Shape],
    tooltip: Sequence[alt.Tooltip],
    line: bool = True,
    offset: alt.XOffset | None = None,
) -> list[alt.Chart]:
    """Layers that show estimates as points with interval bars.

    Args:
        rows: with the columns estimate, low and high, and those that the encodings name.
        x: the horizontal encoding.
        y: the vertical encoding of the estimate.
        look: from `color_and_shape`.
        tooltip: shown before the numbers.
        line: join the points of a series.
        offset: shifts series within a category of x.
    """
    color, shape = look
    base = alt.Chart(rows).encode(x=x, color=color, tooltip=[*tooltip, *INTERVAL_TOOLTIP])
    if offset is not None:
        base = base.encode(xOffset=offset)
    low = y.copy()
    low.shorthand = "low:Q"
    layers = [base.mark_rule(strokeWidth=1.8, opacity=0.75).encode(y=low, y2=alt.Y2("high:Q"))]
    if line:
        layers.append(base.mark_line(strokeWidth=2.5).encode(y=y))
    return [*layers, base.mark_point(size=80, filled=True, opacity=1).encode(y=y, shape=shape)]


def horizontal_rule(value: float, y: alt.Y, dash: Sequence[int] = (3, 3)) -> alt.Chart:
    """A dashed grey line at `value`, on the scale of `y`."""
    rule = alt.Chart(pd.DataFrame({"rule": [value]})).mark_rule(color=GREY, strokeDash=list(dash))
    at = y.copy()
    at.shorthand = "rule:Q"
    return rule.encode(y=at)


def vertical_rule(value: float, x: alt.X, dash: Sequence[int] = (3, 3)) -> alt.Chart:
    """A dashed grey line at `value`, on the scale of `x`."""
    rule = alt.Chart(pd.DataFrame({"rule": [value]})).mark_rule(color=GREY, strokeDash=list(dash))
    at = x.copy()
    at.shorthand = "rule:Q"
    return rule.encode(x=at)
