"""Accuracy against a number, such as shots: one panel per metric, and a separate one for the paper's numbers."""

from __future__ import annotations

from collections.abc import Mapping

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import (
    PUBLISHED,
    PUBLISHED_METRIC,
    color_and_shape,
    dodge,
    estimate_layers,
    series_names,
)
from lcl_lab.figures.panels import Figure, Panel, Resolve, groups, layered
from lcl_lab.figures.theme import GREY, INK

__all__ = ["line_figure"]

_SIZE = {"width": 380, "height": 320}
_DASHES = ([1, 0], [8, 4], [2, 3], [12, 3, 2, 3], [6, 2], [4, 6])
_ACCURACY = alt.Axis(format=".2f", values=[0, 0.25, 0.5, 0.75, 1])


def line_figure(
    estimates: pd.DataFrame,
    x: str,
    x_title: str,
    title: str,
    published: pd.DataFrame | None = None,
    published_title: str = "",
    fixed: pd.DataFrame | None = None,
    chance: Mapping[float, float] | None = None,
) -> Figure:
    """Lines with interval bars, one per model, in one panel per metric.

    Args:
        estimates: with the columns model, metric, `x`, estimate, low, high and n.
        x: the column on the x axis.
        x_title: of the x axis.
        title: of the figure.
        published: with the columns method, `x` and accuracy (open-ended), drawn in a separate panel.
        published_title: where the paper prints them, such as ``"Table 2"``.
        fixed: with the columns of `estimates`: models trained for one value of `x` only, each a grey bar (the paper's
            Figure 6), which the legend names.
        chance: the accuracy of guessing at values of `x`, drawn as a dotted line; 1/2 everywhere by default.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models = series_names(estimates)
    values = sorted(estimates[x].unique().tolist())
    extent = (max(values) - min(values)) or 1
    axis, look = _x("_x", x_title, values), color_and_shape(models, "Model, with 95 % interval; dotted: chance")
    trained = [] if fixed is None else fixed["model"].drop_duplicates().tolist()
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip(f"{x}:Q", title=x_title), alt.Tooltip("n:Q", title="queries")]
    panels = []
    for metric, heading, rows in groups(estimates, "metric"):
        layers = [_chance(chance or {min(values): 0.5, max(values): 0.5})]
        if fixed is not None:
            layers += _bars(fixed[fixed["metric"] == metric], x, axis, extent, trained)
        shifted = rows.assign(_x=rows[x] + dodge(rows, models, 0.008 * extent))
        layers += estimate_layers(shifted, axis, _y("estimate"), look, tooltip)
        panels.append(Panel(layered(layers, **_SIZE), metric, heading))
    if published is not None and len(published):
        chart = _published(published, x, x_title, published_title)
        panels.append(Panel(chart, PUBLISHED_METRIC, PUBLISHED, published=True))
    independent: Resolve = {"strokeDash": "independent", "stroke": "independent"}
    return Figure(tuple(panels), title, spacing=36, resolve=independent)


def _published(published: pd.DataFrame, x: str, x_title: str, title: str) -> alt.LayerChart:
    """Hollow diamonds in one grey, distinguished by dashes: no published number looks like one measured here."""
    methods = published["method"].drop_duplicates().tolist()
    dash = alt.StrokeDash(
        "method:N",
        sort=methods,
        scale=alt.Scale(domain=methods, range=[_DASHES[k % len(_DASHES)] for k in range(len(methods))]),
        legend=alt.Legend(title=f"{title}: {PUBLISHED}", orient="bottom", direction="vertical", symbolSize=400),
    )
    tooltip = [alt.Tooltip("method:N", title=PUBLISHED), alt.Tooltip(f"{x}:Q"), alt.Tooltip("accuracy:Q", format=".2f")]
    values = sorted(published[x].unique().tolist())
    base = alt.Chart(published).encode(x=_x(x, x_title, values), y=_y("accuracy"), tooltip=tooltip)
    line = base.mark_line(color=GREY, strokeWidth=1.8).encode(strokeDash=dash)
    points = base.mark_point(shape="diamond", size=70, fill="white", stroke=INK, opacity=1).encode(
        detail=alt.Detail("method:N")
    )
    return layered([line, points], **_SIZE)


def _bars(rows: pd.DataFrame, x: str, axis: alt.X, extent: float, trained: list[str]) -> list[alt.Chart]:
    """Grey bars, one below the other's number of shots, with one entry of the legend for all."""
    if rows.empty:
        return []
    name = ", ".join(trained)
    wide = rows.assign(_x=rows[x] - 0.02 * extent, _end=rows[x] + 0.02 * extent, _zero=0.0, bar=name)
    legend = alt.Legend(title=f"Trained for these {x} only", orient="bottom", symbolType="square")
    fill = alt.Fill("bar:N", scale=alt.Scale(domain=[name], range=["#BBBBBB"]), legend=legend)
    tooltip = [alt.Tooltip("model:N", title=f"trained for these {x}"), alt.Tooltip("estimate:Q", format=".3f")]
    bars = alt.Chart(wide).mark_rect(opacity=0.7)
    return [
        bars.encode(x=axis, x2=alt.X2("_end:Q"), y=_y("_zero"), y2=alt.Y2("estimate:Q"), fill=fill, tooltip=tooltip)
    ]


def _chance(chance: Mapping[float, float]) -> alt.Chart:
    points = pd.DataFrame({"_x": list(chance), "chance": list(chance.values())})
    return (
        alt.Chart(points)
        .mark_line(color=GREY, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=alt.X("_x:Q"), y=alt.Y("chance:Q"))
    )


def _x(field: str, title: str, values: list[float]) -> alt.X:
    scale = alt.Scale(domain=[min(values), max(values)], nice=False, padding=14)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(values=values, format="~g"))


def _y(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title="Accuracy", scale=alt.Scale(domain=[0, 1], nice=False, padding=8), axis=_ACCURACY)
