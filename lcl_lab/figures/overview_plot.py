"""Models at a glance: one panel per measure, one line per model, and below them the numbers that the paper prints."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import INTERVAL_TOOLTIP, PUBLISHED, PUBLISHED_METRIC, series_names
from lcl_lab.figures.panels import Figure, Panel, Resolve, groups, layered
from lcl_lab.figures.theme import GREY, INK, PALETTE

__all__ = ["overview_figure"]

_LINE = 26  # pixels per model
_CHANGE = "change"  # last word of the name of a measure that may be negative


def overview_figure(rows: pd.DataFrame, published: pd.DataFrame, title: str) -> Figure:
    """Points with interval bars, one line per model and one panel per measure and metric.

    Args:
        rows: with the columns model, measure, estimate, low and high, and optionally metric. A measure whose name
            ends with "change" has an axis from −1 to 1, others from 0 to 1.
        published: with the columns measure, method, data and value, all open-ended; drawn in the panels of that metric
            and in those of rows without one.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models = series_names(rows)
    printed = published.assign(line=published["method"] + ", " + published["data"], estimate=published["value"])
    panels = []
    for metric, heading, shown in groups(rows, "measure"):
        measure = str(shown["measure"].iloc[0])
        of_measure = printed["measure"].eq(measure) & (metric in (PUBLISHED_METRIC, None))
        chart = _panel(shown, printed[of_measure], models, (-1.0 if measure.endswith(_CHANGE) else 0.0, 1.0))
        panels.append(Panel(chart, metric, heading))
    independent: Resolve = {"y": "independent", "color": "independent", "shape": "independent"}
    return Figure(tuple(panels), title, spacing=30, resolve=independent)


def _panel(
    rows: pd.DataFrame, published: pd.DataFrame, models: list[str], domain: tuple[float, float]
) -> alt.LayerChart:
    lines = [*models, *published["line"].drop_duplicates().tolist()]
    y = alt.Y("line:N", sort=lines, title=None, axis=alt.Axis(labelLimit=280), scale=alt.Scale(domain=lines))
    axis = alt.Axis(format=".1f", tickCount=5, labelOverlap=True)
    x = alt.X("estimate:Q", title=None, scale=alt.Scale(domain=list(domain)), axis=axis)
    layers = _measured(rows.assign(line=rows["model"]), x, y)
    if len(published):
        layers.append(_diamonds(published, x, y))
    if domain[0] < 0:
        zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY, strokeDash=[3, 3])
        layers.insert(0, zero.encode(x=alt.X("zero:Q", title=None)))
    return layered(layers, width=260, height=_LINE * len(lines) + 10)


def _measured(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    base = alt.Chart(rows).encode(y=y, tooltip=[alt.Tooltip("model:N"), *INTERVAL_TOOLTIP])
    low = x.copy()
    low.shorthand = "low:Q"
    return [
        base.mark_rule(strokeWidth=2, color=PALETTE[0]).encode(x=low, x2="high:Q"),
        base.mark_point(size=80, filled=True, opacity=1, color=PALETTE[0]).encode(x=x),
    ]


def _diamonds(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    """Hollow diamonds without colour, so that no published number looks like one measured here."""
    legend = alt.Legend(title=None, orient="bottom", symbolType="diamond", symbolFillColor="white")
    kind = alt.Stroke("kind:N", scale=alt.Scale(domain=[PUBLISHED], range=[INK]), legend=legend)
    tooltip = [alt.Tooltip("method:N", title=PUBLISHED), "data:N", alt.Tooltip("estimate:Q", format=".2f")]
    marks = alt.Chart(rows.assign(kind=PUBLISHED))
    diamonds = marks.mark_point(shape="diamond", size=90, fill="white", strokeWidth=1.6, opacity=1)
    return diamonds.encode(x=x, y=y, stroke=kind, tooltip=tooltip)
