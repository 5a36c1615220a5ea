"""The false-label ablation (the paper's Figure 7): what becomes of accuracy as the support lies more.

A model that follows the link from support to query must be wrong when every label is false; one that answers from
what it already knows does not care.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import PUBLISHED, dodge, estimates_of, looks, models_in
from lcl_lab.figures.theme import GREY, INK

__all__ = ["false_ratio_chart"]

_GUIDES = {"chance": [2, 3], "follows one shot at random": [7, 4], "nearest prototype": [12, 3, 2, 3]}
_SPREAD = 0.012  # of the x axis between the bars of neighbouring models, so that none hides another
_TOOLTIP = (
    alt.Tooltip("model:N"),
    alt.Tooltip("metric:N"),
    alt.Tooltip("false_ratio:Q", title="false labels", format=".0%"),
    alt.Tooltip("n:Q", title="queries"),
    alt.Tooltip("clusters:Q", title="concept pairs"),
)
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
    models = models_in(estimates)
    drawn = estimates.assign(x=estimates["false_ratio"] + dodge(estimates, models, _SPREAD))
    guides = _guides(reference)
    panels = []
    for metric in drawn["metric"].drop_duplicates().tolist():
        rows = drawn[drawn["metric"] == metric]
        layers = [_guide_lines(guides), *estimates_of(rows, _x(), _y("estimate"), looks(models), _TOOLTIP)]
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
