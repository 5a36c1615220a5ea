"""Models at a glance: a panel a measure, a line a model, and below them, apart, what the paper printed."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import PUBLISHED
from lcl_lab.figures.theme import GREY, INK, PALETTE

__all__ = ["overview_chart"]

_LINE = 26  # pixels a model
_CHANGE = "change"  # how the name of a measure ends that may be negative


def overview_chart(rows: pd.DataFrame, published: pd.DataFrame, title: str) -> alt.HConcatChart:
    """`rows` have the columns model, measure, estimate, low, high; `published` method, measure, value, data.

    Raises:
        ValueError: nothing to draw.
    """
    if rows.empty:
        raise ValueError("there are no estimates to draw")
    models = rows["model"].drop_duplicates().tolist()
    printed = published.assign(line=published["method"] + ", " + published["data"])
    panels = []
    for measure in rows["measure"].drop_duplicates().tolist():
        domain = [-1, 1] if measure.endswith(_CHANGE) else [0, 1]
        theirs = printed[printed["measure"] == measure]
        lines = [*models, *theirs["line"].drop_duplicates().tolist()]
        y = alt.Y("line:N", sort=lines, title=None, axis=alt.Axis(labelLimit=280), scale=alt.Scale(domain=lines))
        x = alt.X(
            "estimate:Q",
            title=None,
            scale=alt.Scale(domain=domain),
            axis=alt.Axis(format=".1f", tickCount=5, labelOverlap=True),
        )
        layers = [*_ours(rows[rows["measure"] == measure].assign(line=lambda own: own["model"]), x, y)]
        if len(theirs):
            layers.append(_theirs(theirs.assign(estimate=theirs["value"]), x, y))
        if domain[0] < 0:
            zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=GREY, strokeDash=[3, 3])
            layers.insert(0, zero.encode(x=alt.X("zero:Q", title=None)))
        panel = alt.layer(*layers).properties(
            title=alt.Title(measure, fontSize=16), width=260, height=_LINE * len(lines) + 10
        )
        panels.append(panel)
    chart = alt.hconcat(*panels, spacing=30).resolve_scale(y="independent", color="independent", shape="independent")
    return chart.properties(title=alt.Title(title, offset=14))


def _ours(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("estimate:Q", format=".3f"),
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="interval to", format=".3f"),
    ]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    low = x.copy()
    low.shorthand = "low:Q"
    return [
        base.mark_rule(strokeWidth=2, color=PALETTE[0]).encode(x=low, x2="high:Q"),
        base.mark_point(size=80, filled=True, opacity=1, color=PALETTE[0]).encode(x=x),
    ]


def _theirs(rows: pd.DataFrame, x: alt.X, y: alt.Y) -> alt.Chart:
    """Hollow diamonds in ink, so that nothing of the paper's could be taken for ours."""
    legend = alt.Legend(title=None, orient="bottom", symbolType="diamond", symbolFillColor="white")
    kind = alt.Stroke("kind:N", scale=alt.Scale(domain=[PUBLISHED], range=[INK]), legend=legend)
    tooltip = [alt.Tooltip("method:N", title=PUBLISHED), "data:N", alt.Tooltip("estimate:Q", format=".2f")]
    marks = alt.Chart(rows.assign(kind=PUBLISHED))
    diamonds = marks.mark_point(shape="diamond", size=90, fill="white", strokeWidth=1.6, opacity=1)
    return diamonds.encode(x=x, y=y, stroke=kind, tooltip=tooltip)
