"""The false-label ablation (the paper's Figure 7): accuracy as the share of false labels grows.

A model that follows the link from support to query must be wrong when every label is false; a model that answers from
prior knowledge is not affected.
"""

from __future__ import annotations

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
from lcl_lab.figures.panels import Figure, Panel, groups, layered
from lcl_lab.figures.theme import GREY, INK

__all__ = ["false_ratio_figure"]

_GUIDES = {"chance": [2, 3], "follows one shot at random": [7, 4], "nearest prototype": [12, 3, 2, 3]}
_SPREAD = 0.012  # distance on the x axis between neighbouring models, so that intervals do not overlap
_TOOLTIP = (
    alt.Tooltip("model:N"),
    alt.Tooltip("metric:N"),
    alt.Tooltip("false_ratio:Q", title="false labels", format=".0%"),
    alt.Tooltip("n:Q", title="queries"),
    alt.Tooltip("clusters:Q", title="concept pairs"),
)
_X = alt.Scale(domain=[0, 1], nice=False, padding=14)
_Y = alt.Scale(domain=[0, 1], nice=False, padding=8)


def false_ratio_figure(
    estimates: pd.DataFrame, published: pd.DataFrame, title: str, reference: pd.DataFrame | None = None
) -> Figure:
    """Accuracy against the share of false labels: one panel per metric, one line with interval bars per model.

    Args:
        estimates: `analysis.accuracy` by model and false_ratio, with the columns model, metric, false_ratio, n,
            clusters, estimate, low and high.
        published: `analysis.published_false_ratio`, with the columns method, shots, false_ratio and accuracy. The
            paper's metric is open-ended, so its points are drawn in that panel only.
        title: of the figure.
        reference: with the columns false_ratio and accuracy: a nearest-prototype classifier on the same episodes.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models = series_names(estimates)
    guides, look = _guides(reference), color_and_shape(models)
    panels = []
    for metric, heading, rows in groups(estimates, "metric"):
        shifted = rows.assign(x=rows["false_ratio"] + dodge(rows, models, _SPREAD))
        layers = [_guide_lines(guides), *estimate_layers(shifted, _x(), _y("estimate"), look, _TOOLTIP)]
        if metric == PUBLISHED_METRIC and len(published):
            layers += _published(published)
        panels.append(Panel(layered(layers, width=400, height=340), metric, heading))
    return Figure(tuple(panels), title, spacing=36)


def _guides(reference: pd.DataFrame | None) -> pd.DataFrame:
    """Reference lines: columns guide, x and y."""
    fixed = [
        ("chance", 0.0, 0.5),
        ("chance", 1.0, 0.5),
        ("follows one shot at random", 0.0, 1.0),
        ("follows one shot at random", 1.0, 0.0),
    ]
    guides = pd.DataFrame(fixed, columns=["guide", "x", "y"])
    if reference is None:
        return guides
    line = reference.rename(columns={"false_ratio": "x", "accuracy": "y"}).assign(guide="nearest prototype")
    return pd.concat([guides, line[["guide", "x", "y"]]], ignore_index=True)


def _guide_lines(guides: pd.DataFrame) -> alt.Chart:
    names = guides["guide"].drop_duplicates().tolist()
    dash = alt.StrokeDash(
        "guide:N",
        scale=alt.Scale(domain=names, range=[_GUIDES[name] for name in names]),
        legend=alt.Legend(title="Reference", orient="bottom", direction="vertical", symbolSize=400),
    )
    line = alt.Chart(guides).mark_line(strokeWidth=1.5, color=GREY)
    return line.encode(
        x=_x(), y=_y(), strokeDash=dash, tooltip=[alt.Tooltip("guide:N"), alt.Tooltip("y:Q", format=".3f")]
    )


def _published(published: pd.DataFrame) -> list[alt.Chart]:
    """Hollow diamonds with the name of the method next to them, towards the middle of the panel."""
    points = published.assign(x=published["false_ratio"], y=published["accuracy"], kind=PUBLISHED)
    legend = alt.Legend(
        title="Tai et al. 2024, Figure 7", orient="bottom", symbolType="diamond", symbolFillColor="white"
    )
    kind = alt.Stroke("kind:N", scale=alt.Scale(domain=[PUBLISHED], range=[INK]), legend=legend)
    tooltip = [
        alt.Tooltip("method:N", title=PUBLISHED),
        alt.Tooltip("shots:Q", title="images in the support"),
        alt.Tooltip("false_ratio:Q", title="false labels", format=".0%"),
        alt.Tooltip("accuracy:Q", format=".2f"),
    ]
    marks = alt.Chart(points).mark_point(shape="diamond", size=170, fill="white", strokeWidth=1.8, opacity=1)
    layers = [marks.encode(x=_x(), y=_y(), stroke=kind, tooltip=tooltip)]
    for left in (True, False):
        rows = points[(points["x"] <= 0.5) == left]
        for halo in (True, False):
            label = alt.Chart(rows).mark_text(
                align="left" if left else "right",
                dx=12 if left else -12,
                dy=-10,
                fontSize=13,
                color=INK,
                stroke="white",
                strokeWidth=4 if halo else 0,
            )
            layers.append(label.encode(x=_x(), y=_y(), text=alt.Text("method:N")))
    return layers


def _x(field: str = "x") -> alt.X:
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
    return alt.X(f"{field}:Q", title="False labels in the support", scale=_X, axis=axis)


def _y(field: str = "y") -> alt.Y:
    return alt.Y(f"{field}:Q", title="Accuracy", scale=_Y, axis=alt.Axis(format=".2f", values=[0, 0.25, 0.5, 0.75, 1]))
