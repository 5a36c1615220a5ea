"""Heat maps: numbers by two categories, one panel per model, with the number in each cell where there is room."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.panels import Figure, Panel, layered

__all__ = ["heat_map_figure"]

_COLOURS = ("#08519C", "#6BAED6", "white", "#FD8D3C", "#A63603")
"""From the least to the greatest number; the middle one is that of the page."""
_SHARES = (-1, -0.5, 0, 0.5, 1)
"""Of the largest number: where cells have these colours."""
_ON_PAGE = "#000000"  # numbers on colours near that of the page
_ON_DARK, _ON_LIGHT = "#FFFFFF", "#040404"  # numbers on colours that are the same on light and dark pages
_DARK_BEYOND, _LIGHT_BEYOND = (
    (-0.7735, 0.8275),
    (-0.335, 0.3275),
)  # of the largest number: where cells have such colours
_CELL = 62  # pixels of the side of a cell with a number
_SMALL = 14  # of one without
_WIDE = 18  # of one without, below a name
_LETTER = 8  # pixels of the width of a letter


def heat_map_figure(
    rows: pd.DataFrame,
    x: str,
    y: str,
    title: str,
    *,
    value: str = "estimate",
    value_title: str = "",
    x_title: str = "",
    y_title: str = "",
    panel: str = "model",
    metric: str | None = None,
    signed: bool = True,
    clickable: bool = False,
    most_with_numbers: int = 16,
) -> Figure:
    """Numbers as colours around 0, or from 0 on, on one scale for all panels; 0 is white.

    Args:
        rows: with the columns `x`, `y`, `value` and `panel`; one row per cell.
        x: the column across, in the order of the rows; a categorical one has all its categories in their order.
        y: the column down, in the same way.
        title: of the figure.
        value: the column of the numbers.
        value_title: of the legend.
        x_title: of the x axis.
        y_title: of the y axis.
        panel: the column with one panel per value.
        metric: the metric that the numbers belong to.
        signed: whether numbers may be negative, and have their sign.
        clickable: whether a cell can be chosen where the figure is interactive.
        most_with_numbers: cells in a row up to which they have their numbers.

    Raises:
        UserError: nothing to draw.
    """
    if rows.empty:
        raise UserError("there are no numbers to draw")
    largest = float(rows[value].abs().max()) or 1.0
    shares = _SHARES if signed else _SHARES[2:]
    # By lightness and hue, which white does not have, 0 would be yellow.
    colours, domain = list(_COLOURS[-len(shares) :]), [share * largest for share in shares]
    scale = alt.Scale(range=colours, domain=domain, interpolate="rgb")
    form = "+.2f" if signed else ".2f"
    cursor: Any = "pointer" if clickable else alt.Undefined
    panels = []
    for name, shown in rows.groupby(panel, sort=False):
        across, down = (_values(shown[column]) for column in (x, y))
        has_numbers = len(across) <= most_with_numbers
        longest = _LETTER * max(len(str(label)) for label in across)
        cell = _CELL if has_numbers else _SMALL if longest <= _WIDE else _WIDE
        axis = alt.Axis(labelAngle=0 if longest <= _CELL else -90, labelOverlap=True)
        base = alt.Chart(shown).encode(
            x=alt.X(f"{x}:N", sort=across, scale=alt.Scale(domain=across), title=x_title, axis=axis),
            y=alt.Y(f"{y}:N", sort=down, scale=alt.Scale(domain=down), title=y_title, axis=alt.Axis(labelOverlap=True)),
            tooltip=[
                alt.Tooltip(f"{x}:N"),
                alt.Tooltip(f"{y}:N"),
                alt.Tooltip(f"{value}:Q", format=".3f", title=value_title),
            ],
        )
        legend = alt.Legend(title=value_title, format=form, orient="bottom", gradientLength=200)
        layers = [base.mark_rect(cursor=cursor).encode(color=alt.Color(f"{value}:Q", scale=scale, legend=legend))]
        if has_numbers:
            share = f"datum['{value}'] / {largest}"
            on_dark, on_light = (f"{share} < {low} || {share} > {high}" for low, high in (_DARK_BEYOND, _LIGHT_BEYOND))
            extremes = [{"test": on_dark, "value": _ON_DARK}, {"test": on_light, "value": _ON_LIGHT}]
            color = alt.ColorValue(_ON_PAGE, condition=extremes)
            cells = base.properties(data=shown.assign(_shown=_rounded(shown[value])))
            layers.append(cells.mark_text(fontSize=13).encode(text=alt.Text("_shown:Q", format=form), color=color))
        chart = layered(layers, width=cell * len(across), height=min(cell, 40) * len(down))
        panels.append(Panel(chart, metric, str(name)))
    return Figure(tuple(panels), title, stacked=len(panels) > 3, spacing=28)


def _values(column: pd.Series) -> list[Any]:
    """The values of an axis in their order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    return column.drop_duplicates().tolist()


def _rounded(values: pd.Series) -> pd.Series:
    """Two decimals, rounded half up as in tables, and without a negative zero."""
    hundredths = np.floor(np.abs(values) * 100 + 0.5 + 1e-9)
    return np.sign(values) * hundredths / 100 + 0.0
