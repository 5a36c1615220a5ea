"""Heat maps: numbers by two categories, one panel per model, with the number in each cell where there is room."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.panels import Figure, Panel, layered

__all__ = ["heat_map_figure"]

_COLOURS = ("#08519C", "#6BAED6", "white", "#FD8D3C", "#A63603")
"""From the least to the greatest number; the middle one is that of the page."""
_ON_PAGE = "#000000"  # numbers on colours near that of the page
_ON_DARK, _ON_LIGHT = "#FFFFFF", "#040404"  # numbers on colours that are the same on light and dark pages
_DARK_BEYOND, _LIGHT_BEYOND = (-0.775, 0.825), (-0.35, 0.338)  # of the largest number: where cells have such colours
_CELL = 62  # pixels of the side of a cell with a number
_SMALL = 14  # of one without
_MOST_WITH_NUMBERS = 16  # cells in a row


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
) -> Figure:
    """Numbers as colours around 0, which is white, on one scale for all panels.

    Args:
        rows: with the columns `x`, `y`, `value` and `panel`; one row per cell.
        x: the column across, in the order of the rows.
        y: the column down, in the order of the rows.
        title: of the figure.
        value: the column of the numbers.
        value_title: of the legend.
        x_title: of the x axis.
        y_title: of the y axis.
        panel: the column with one panel per value.
        metric: the metric that the numbers belong to.

    Raises:
        UserError: nothing to draw.
    """
    if rows.empty:
        raise UserError("there are no numbers to draw")
    largest = float(rows[value].abs().max()) or 1.0
    scale = alt.Scale(range=list(_COLOURS), domain=[share * largest for share in (-1, -0.5, 0, 0.5, 1)])
    panels = []
    for name, shown in rows.groupby(panel, sort=False):
        across, down = (shown[column].drop_duplicates().tolist() for column in (x, y))
        has_numbers = len(across) <= _MOST_WITH_NUMBERS
        cell = _CELL if has_numbers else _SMALL
        base = alt.Chart(shown).encode(
            x=alt.X(f"{x}:N", sort=across, title=x_title, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
            y=alt.Y(f"{y}:N", sort=down, title=y_title, axis=alt.Axis(labelOverlap=True)),
            tooltip=[
                alt.Tooltip(f"{x}:N"),
                alt.Tooltip(f"{y}:N"),
                alt.Tooltip(f"{value}:Q", format=".3f", title=value_title),
            ],
        )
        legend = alt.Legend(title=value_title, format="+.2f", orient="bottom", gradientLength=200)
        layers = [base.mark_rect().encode(color=alt.Color(f"{value}:Q", scale=scale, legend=legend))]
        if has_numbers:
            share = f"datum['{value}'] / {largest}"
            on_dark, on_light = (f"{share} < {low} || {share} > {high}" for low, high in (_DARK_BEYOND, _LIGHT_BEYOND))
            extremes = [{"test": on_dark, "value": _ON_DARK}, {"test": on_light, "value": _ON_LIGHT}]
            color = alt.ColorValue(_ON_PAGE, condition=extremes)
            cells = base.properties(data=shown.assign(_shown=_rounded(shown[value])))
            layers.append(cells.mark_text(fontSize=13).encode(text=alt.Text("_shown:Q", format="+.2f"), color=color))
        chart = layered(layers, width=cell * len(across), height=min(cell, 40) * len(down))
        panels.append(Panel(chart, metric, str(name)))
    return Figure(tuple(panels), title, stacked=len(panels) > 3, spacing=28)


def _rounded(values: pd.Series) -> pd.Series:
    """Two decimals, rounded half up as in tables, and without a negative zero."""
    hundredths = np.floor(np.abs(values) * 100 + 0.5 + 1e-9)
    return np.sign(values) * hundredths / 100 + 0.0
