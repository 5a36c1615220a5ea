"""Quantities over the steps of a training, one panel each, with one line per attention head."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, estimate_layers, series_names
from lcl_lab.figures.panels import Figure, Panel, layered

__all__ = ["emergence_figure"]


def emergence_figure(rows: pd.DataFrame, title: str, metric: str | None = None) -> Figure:
    """Lines with interval bars.

    Args:
        rows: with the columns steps, quantity, head, estimate, low and high.
        title: of the figure.
        metric: the metric that the figure belongs to.

    Raises:
        UserError: nothing to draw, or more heads than colours.
    """
    x = alt.X("steps:Q", title="Steps of the training")
    panels = []
    for quantity, shown in rows.groupby("quantity", sort=False):
        look = color_and_shape(series_names(shown, "head"), "Head, with 95 % intervals", "head")
        scale = alt.Scale(domain=[0, 1]) if quantity == "accuracy" else alt.Scale(zero=True)
        y = alt.Y("estimate:Q", title=str(quantity).capitalize(), scale=scale)
        layers = estimate_layers(shown, x, y, look, [alt.Tooltip("head:N"), alt.Tooltip("steps:Q")])
        panels.append(Panel(layered(layers, width=320, height=280), metric, str(quantity).capitalize()))
    independent = {"color": "independent", "shape": "independent"}
    return Figure(tuple(panels), title, spacing=30, resolve=independent)  # type: ignore[arg-type]
