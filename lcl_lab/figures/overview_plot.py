"""Models at a glance: one panel per measure, one line per model, and below them the numbers that the paper prints."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import INTERVAL_TOOLTIP, PUBLISHED, PUBLISHED_METRIC, series_names
from lcl_lab.figures.panels import Figure, Panel, Resolve, groups, layered
from lcl_lab.figures.theme import GREY, INK, PALETTE

__all__ = ["overview_figure"]

_LINE = 34  # pixels per model, for names of two lines
_CHANGE = "change"  # last word of the name of a measure that may be negative


def overview_figure(rows: pd.DataFrame, published: pd.DataFrame, title: str) -> Figure:
    """Points with interval bars, one line per model and one panel per measure and metric.

    Args:
        rows: with the columns model, measure, estimate, low and high, and optionally metric and chance. A measure whose
            name ends with "change" has an axis from −1 to 1, others from 0 to 1. Where there is a chance, it is a
            dotted line.
        published: with the columns measure, method, protocol and value, all open-ended; drawn in the panels of that
            metric and in those of rows without one, each point named by its method and protocol.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models = series_names(rows)
    printed = published.assign(line=published["method"] + "\n" + published["protocol"], estimate=published["value"])
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
    measured = set(rows["model"])
    lines = [*(model for model in models if model in measured), *published["line"].drop_duplicates().tolist()]
    names = alt.Axis(labelLimit=280, labelExpr="split(datum.label, '\\n')")
    y = alt.Y("line:N", sort=lines, title=None, axis=names, scale=alt.Scale(domain=lines))
    axis = alt.Axis(format=".1f", tickCount=5, labelOverlap=True)
    x = alt.X("estimate:Q", title=None, scale=alt.Scale(domain=list(domain)), axis=axis)
    layers = _measured(rows.assign(line=rows["model"]), x, y)
    if len(published):
        layers.append(_diamonds(published, x, y))
    if domain[0] < 0:
        layers.insert(0, _vertical_rule("no change", 0.0, x))
    chances: list[float] = rows["chance"].dropna().unique().tolist() if "chance" in rows else []
    layers[:0] = [_vertical_rule("chance", chance, x) for chance in chances]
    return layered(layers, width=260, height=_LINE * len(lines) + 10)


def _vertical_rule(name: str, value: float, x: alt.X) -> alt.Chart:
    """A dashed grey line that says what it is when pointed at."""
    rule = alt.Chart(pd.DataFrame({name: [value]})).mark_rule(color=GREY, strokeDash=[3, 3], strokeWidth=1.5)
    at = x.copy()
    at.shorthand = f"{name}:Q"
    return rule.encode(x=at, tooltip=[alt.Tooltip(f"{name}:Q", format=".2f")])


def _measured(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    base = alt.Chart(rows).encode(y=y, tooltip=[alt.Tooltip("model:N"), *INTERVAL_TOOLTIP])
    low = x.copy()
    low.shorthand = "low:Q"
    return [
        base.mark_rule(strokeWidth=2, color=PALETTE[0]).encode(x=low, x2=alt.X2("high:Q")),
        base.mark_point(size=80, filled=True, opacity=1, color=PALETTE[0]).encode(x=x),
    ]


def _diamonds(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    """Hollow diamonds without colour, so that no published number looks like one measured here."""
    legend = alt.Legend(title=None, orient="bottom", symbolType="diamond", symbolFillColor="white")
    kind = alt.Stroke("kind:N", scale=alt.Scale(domain=[PUBLISHED], range=[INK]), legend=legend)
    tooltip = [
        alt.Tooltip("method:N", title=PUBLISHED),
        alt.Tooltip("protocol:N"),
        alt.Tooltip("estimate:Q", format=".2f"),
    ]
    marks = alt.Chart(rows.assign(kind=PUBLISHED))
    diamonds = marks.mark_point(shape="diamond", size=90, fill="white", strokeWidth=1.6, opacity=1)
    return diamonds.encode(x=x, y=y, stroke=kind, tooltip=tooltip)
