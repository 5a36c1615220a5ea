"""The false-label ablation (the paper's Figure 7): what becomes of accuracy as the support lies more.

A model that follows the link from support to query must be wrong when every label is false; one that answers from
what it already knows does not care.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.theme import GREY, INK, PALETTE

__all__ = ["false_ratio_chart"]

PUBLISHED = "published, other data"
_SHAPES = ("circle", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left", "wedge")
_GUIDES = {"chance": [2, 3], "follows one shot at random": [7, 4], "nearest prototype": [12, 3, 2, 3]}
_SPREAD = 0.012  # of the x axis between the bars of neighbouring models, so that none hides another
_X = alt.Scale(domain=[0, 1], nice=False, padding=14)
_Y = alt.Scale(domain=[0, 1], nice=False, padding=8)


def false_ratio_chart(
    estimates: pd.DataFrame, published: pd.DataFrame, title: str, reference: pd.DataFrame | None = None
) -> alt.HConcatChart:
    """Accuracy against the share of false labels: a panel a metric, a line with interval bars a model.

    `estimates` has columns model, metric, false_ratio, n, clusters, estimate, low, high (`analysis.accuracy` by model
    and false_ratio). `published` has columns method, shots, false_ratio, accuracy (`analysis.published_false_ratio`);
    the paper's metric is the open-ended one, so its points stand in that panel only. `reference`, with columns
    false_ratio and accuracy, is what a nearest-prototype classifier gets on the same episodes.

    Raises UserError when there are no estimates, or more models than can be told apart.
    """
    models = estimates["model"].drop_duplicates().tolist()
    if not models:
        raise UserError("there are no estimates to draw")
    if len(models) > len(PALETTE):
        raise UserError(f"{len(models)} models in one chart cannot be told apart: choose {len(PALETTE)} at most")
    place = estimates["model"].map({model: index - (len(models) - 1) / 2 for index, model in enumerate(models)})
    drawn = estimates.assign(x=estimates["false_ratio"] + _SPREAD * place.astype(float))
    guides = _guides(reference)
    panels = []
    for metric in drawn["metric"].drop_duplicates().tolist():
        layers = [_guide_lines(guides), *_models(drawn[drawn["metric"] == metric], models)]
        if metric == "open-ended" and len(published):
            layers += _published(published)
        panels.append(alt.layer(*layers).properties(title=alt.Title(metric, fontSize=16), width=400, height=340))
    return alt.hconcat(*panels, spacing=36).properties(title=alt.Title(title, offset=14))


def _guides(reference: pd.DataFrame | None) -> pd.DataFrame:
    """The lines that a model is read against: columns guide, x, y."""
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
    return line.encode(x=_x(), y=_y(), strokeDash=dash, tooltip=["guide:N", alt.Tooltip("y:Q", format=".3f")])


def _models(rows: pd.DataFrame, models: list[str]) -> list[alt.Chart]:
    legend = alt.Legend(title="Model, with 95 % interval", orient="bottom", direction="vertical")
    color = alt.Color(
        "model:N", sort=models, scale=alt.Scale(domain=models, range=list(PALETTE[: len(models)])), legend=legend
    )
    shape = alt.Shape(
        "model:N", sort=models, scale=alt.Scale(domain=models, range=list(_SHAPES[: len(models)])), legend=legend
    )
    tooltip = [
        alt.Tooltip("model:N"),
        alt.Tooltip("metric:N"),
        alt.Tooltip("false_ratio:Q", title="false labels", format=".0%"),
        alt.Tooltip("estimate:Q", title="accuracy", format=".3f"),
        alt.Tooltip("low:Q", title="interval from", format=".3f"),
        alt.Tooltip("high:Q", title="interval to", format=".3f"),
        alt.Tooltip("n:Q", title="queries"),
        alt.Tooltip("clusters:Q", title="concept pairs"),
    ]
    base = alt.Chart(rows).encode(x=_x(), color=color, tooltip=tooltip)
    return [
        base.mark_rule(strokeWidth=1.8, opacity=0.75).encode(y=_y("low"), y2="high:Q"),
        base.mark_line(strokeWidth=2.5).encode(y=_y("estimate")),
        base.mark_point(size=80, filled=True, opacity=1).encode(y=_y("estimate"), shape=shape),
    ]


def _published(published: pd.DataFrame) -> list[alt.Chart]:
    """Hollow diamonds with the method's name beside them, on the side where the panel goes on."""
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
            layers.append(label.encode(x=_x(), y=_y(), text="method:N"))
    return layers


def _x(field: str = "x") -> alt.X:
    axis = alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])
    return alt.X(f"{field}:Q", title="False labels in the support", scale=_X, axis=axis)


def _y(field: str = "y") -> alt.Y:
    return alt.Y(f"{field}:Q", title="Accuracy", scale=_Y, axis=alt.Axis(format=".2f", values=[0, 0.25, 0.5, 0.75, 1]))
