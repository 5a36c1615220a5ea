"""Accuracy without k attention heads: the top ones beside random ones, one panel per model."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, estimate_layers, horizontal_rule, series_names
from lcl_lab.figures.panels import Figure, Panel, layered

__all__ = ["removal_figure"]

_CHANCE = 0.5


def removal_figure(rows: pd.DataFrame, title: str) -> Figure:
    """Lines with interval bars, one per kind of heads.

    Args:
        rows: with the columns model, part (which heads are removed), k, estimate, low, high and metric.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more kinds than colours.
    """
    look = color_and_shape(series_names(rows, "part"), "With 95 % intervals; dashed: chance", "part")
    y = alt.Y("estimate:Q", title="Accuracy", scale=alt.Scale(domain=[0, 1], nice=False, padding=8))
    panels = []
    for (model, metric), shown in rows.groupby(["model", "metric"], sort=False):
        x = alt.X("k:Q", title="Heads removed", axis=alt.Axis(tickMinStep=1, format="d"))
        layers = estimate_layers(shown, x, y, look, [alt.Tooltip("part:N"), alt.Tooltip("k:Q", title="heads")])
        chart = layered([horizontal_rule(_CHANCE, y), *layers], width=280, height=260)
        panels.append(Panel(chart, str(metric), str(model)))
    return Figure(tuple(panels), title, stacked=len(panels) > 3, spacing=30)
