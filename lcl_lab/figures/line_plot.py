"""Accuracy against a number, such as shots: a panel a metric, and one of its own for what the paper printed."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import PUBLISHED, dodge, estimates_of, looks, models_in
from lcl_lab.figures.theme import GREY, INK, Chart

__all__ = ["curves_chart"]

_SIZE = {"width": 380, "height": 320}
_DASHES = ([1, 0], [8, 4], [2, 3], [12, 3, 2, 3], [6, 2], [4, 6])
_ACCURACY = alt.Axis(format=".2f", values=[0, 0.25, 0.5, 0.75, 1])


def curves_chart(
    estimates: pd.DataFrame,
    x: str,
    x_title: str,
    title: str,
    published: pd.DataFrame | None = None,
    published_title: str = "",
    fixed: pd.DataFrame | None = None,
) -> alt.HConcatChart:
    """Lines with interval bars, one a model.

    `estimates` has columns model, metric, the column `x`, estimate, low, high, n, clusters; `published` has method,
    `x` and accuracy; `fixed` is as `estimates` without the models' own panels' lines: each row is a grey bar, a model
    trained for that x alone (the paper's Figure 6).

    Raises:
        UserError: nothing to draw, or more models than can be told apart.
    """
    models = models_in(estimates)
    values = sorted(estimates[x].unique().tolist())
    reach = (max(values) - min(values)) or 1
    drawn = estimates.assign(_x=estimates[x] + dodge(estimates, models, 0.008 * reach))
    panels: list[Chart] = []
    for metric in drawn["metric"].drop_duplicates().tolist():
        layers = [_chance(min(values), max(values))]
        if fixed is not None:
            layers += _bars(fixed[fixed["metric"] == metric], x, _x("_x", x_title, values), reach)
        tooltip = [alt.Tooltip("model:N"), alt.Tooltip(f"{x}:Q", title=x_title), alt.Tooltip("n:Q", title="queries")]
        rows = drawn[drawn["metric"] == metric]
        layers += estimates_of(rows, _x("_x", x_title, values), _y("estimate"), looks(models), tooltip)
        panels.append(alt.layer(*layers).properties(title=alt.Title(metric, fontSize=16), **_SIZE))
    if published is not None and len(published):
        panels.append(_published(published, x, x_title, published_title))
    chart = alt.hconcat(*panels, spacing=36).resolve_scale(strokeDash="independent", stroke="independent")
    return chart.properties(title=alt.Title(title, offset=14))


def _published(published: pd.DataFrame, x: str, x_title: str, title: str) -> Chart:
    """Hollow diamonds in one ink, told apart by their dashes: nothing that could be taken for ours."""
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
    return alt.layer(
        base.mark_line(color=GREY, strokeWidth=1.8).encode(strokeDash=dash),
        base.mark_point(shape="diamond", size=70, fill="white", stroke=INK, opacity=1).encode(detail="method:N"),
    ).properties(title=alt.Title(f"{PUBLISHED}", fontSize=16), **_SIZE)


def _bars(rows: pd.DataFrame, x: str, axis: alt.X, reach: float) -> list[alt.Chart]:
    if rows.empty:
        return []
    wide = rows.assign(_x=rows[x] - 0.02 * reach, _end=rows[x] + 0.02 * reach, _zero=0.0)
    bar = alt.Chart(wide).mark_rect(color="#BBBBBB", opacity=0.7)
    tooltip = [alt.Tooltip("model:N", title="trained for these shots"), alt.Tooltip("estimate:Q", format=".3f")]
    return [bar.encode(x=axis, x2="_end:Q", y=_y("_zero"), y2="estimate:Q", tooltip=tooltip)]


def _chance(first: float, last: float) -> alt.Chart:
    ends = pd.DataFrame({"_x": [first, last], "chance": [0.5, 0.5]})
    return alt.Chart(ends).mark_line(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x="_x:Q", y="chance:Q")


def _x(field: str, title: str, values: list[float]) -> alt.X:
    scale = alt.Scale(domain=[min(values), max(values)], nice=False, padding=14)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(values=values, format="~g"))


def _y(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q", title="Accuracy", scale=alt.Scale(domain=[0, 1], nice=False, padding=8), axis=_ACCURACY)
