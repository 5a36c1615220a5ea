"""The position ablation (the paper's Figure 8, here at every position): the cost of a false label, by position."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, dodge, estimate_layers, horizontal_rule, series_names
from lcl_lab.figures.panels import Figure, Panel, groups, layered

__all__ = ["position_figure"]


def position_figure(drops: pd.DataFrame, title: str) -> Figure:
    """The drop in accuracy at each position, one panel per model and metric, one colour per design.

    Args:
        drops: with the columns model, design, position (1 = first), drop, low and high, and optionally metric.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more designs than colours.
    """
    designs = series_names(drops, "design")
    last = int(drops["position"].max())
    rows = drops.assign(x=drops["position"] + dodge(drops, designs, 0.22, "design"), estimate=drops["drop"])
    x = alt.X(
        "x:Q",
        title="Position of the false label in the support (1 = first)",
        scale=alt.Scale(domain=[0.5, last + 0.5], nice=False),
        axis=alt.Axis(values=list(range(1, last + 1)), format="d", grid=False),
    )
    scale = alt.Scale(domain=[min(0.0, drops["low"].min()), max(0.0, drops["high"].max())], nice=True)
    y = alt.Y("estimate:Q", title="Drop in accuracy", axis=alt.Axis(format="+.2f"), scale=scale)
    look = color_and_shape(designs, "Design, with simultaneous 95 % intervals for all positions", "design")
    tooltip = [alt.Tooltip("model:N"), alt.Tooltip("position:Q"), alt.Tooltip("design:N")]
    panels = []
    for metric, heading, shown in groups(rows, "model"):
        layers = [horizontal_rule(0.0, y), *estimate_layers(shown, x, y, look, tooltip, line=False)]
        chart = layered(layers, width=760, height=220)
        panels.append(Panel(chart, metric, heading))
    return Figure(tuple(panels), title, stacked=True, spacing=24, resolve={"y": "shared"})
