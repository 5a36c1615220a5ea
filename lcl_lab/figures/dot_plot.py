"""Estimates by category: points with intervals side by side, one colour and shape per model."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, estimate_layers, horizontal_rule, series_names
from lcl_lab.figures.panels import Figure, Panel, groups, layered

__all__ = ["dot_figure"]

_LETTER = 9  # pixels per letter of a label, with its share of the gap to the next label


def dot_figure(
    rows: pd.DataFrame,
    category: str,
    title: str,
    y_title: str = "Accuracy",
    group: str = "model",
    group_title: str = "Model, with 95 % interval",
    domain: Sequence[float] | None = (0.0, 1.0),
    guide: float | None = None,
    panel: str | None = None,
    width: int = 420,
) -> Figure:
    """Points with interval bars, one per category and group.

    Args:
        rows: with the columns `category`, `group`, estimate, low and high, those of `panel`, and optionally metric.
        category: the column on the x axis, in the order of the rows.
        title: of the figure.
        y_title: of the y axis.
        group: the column with a colour and shape per value.
        group_title: of the legend.
        domain: ends of the y axis; None to fit the data, from 0.
        guide: value of a dashed horizontal line, such as chance or no change.
        panel: column with one panel per value; rows of several metrics always get one panel per metric.
        width: of a panel in pixels.

    Raises:
        UserError: nothing to draw, or more groups than colours.
    """
    names, categories = series_names(rows, group), rows[category].drop_duplicates().tolist()
    tight = len(categories) * max(len(str(name)) for name in categories) * _LETTER > width
    x = alt.X(f"{category}:N", sort=categories, title=None, axis=alt.Axis(labelAngle=-40 if tight else 0))
    scale = alt.Scale(domain=list(domain), nice=False, padding=8) if domain else alt.Scale(zero=True)
    y = alt.Y("estimate:Q", title=y_title, scale=scale)
    tooltip = [alt.Tooltip(f"{category}:N"), alt.Tooltip(f"{group}:N")]
    offset = alt.XOffset(f"{group}:N", sort=names, scale=alt.Scale(paddingOuter=1))
    look = color_and_shape(names, group_title, group)
    panels = []
    for metric, heading, shown in groups(rows, panel):
        layers = estimate_layers(shown, x, y, look, tooltip, line=False, offset=offset)
        if guide is not None:
            layers.insert(0, horizontal_rule(guide, y))
        chart = layered(layers, width=width, height=300)
        panels.append(Panel(chart, metric, heading))
    return Figure(tuple(panels), title, spacing=30)
