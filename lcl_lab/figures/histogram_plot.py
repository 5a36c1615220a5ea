"""Histograms of one quantity, one line of steps per group, so that several groups can be compared in one panel."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.encodings import color_and_shape, vertical_rule
from lcl_lab.figures.panels import Figure, Panel, layered

__all__ = ["histogram_figure"]


def histogram_figure(
    bins: pd.DataFrame,
    title: str,
    *,
    x_title: str,
    group: str,
    group_title: str,
    names: Sequence[str],
    guide: float | None = None,
    metric: str | None = None,
) -> Figure:
    """The share of each group's values in bins of the same width, as steps with a point per bin.

    Args:
        bins: one row per group and bin, with the columns `group`, low, high, middle, share and n.
        title: of the figure.
        x_title: of the x axis.
        group: the column with a colour and shape per value.
        group_title: of the legend.
        names: the groups in order.
        guide: value of a dashed vertical line.
        metric: the metric that the values belong to.

    Raises:
        UserError: nothing to draw.
    """
    if bins.empty:
        raise UserError("there are no values to draw")
    color, shape = color_and_shape(names, group_title, group)
    x = alt.X("middle:Q", title=x_title, scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(tickCount=8))
    y = alt.Y("share:Q", title="Share of answers", axis=alt.Axis(format=".0%"))
    tooltip = [
        alt.Tooltip(f"{group}:N"),
        alt.Tooltip("low:Q", title="from", format=".2f"),
        alt.Tooltip("high:Q", title="to", format=".2f"),
        alt.Tooltip("share:Q", format=".1%"),
        alt.Tooltip("n:Q", title="answers"),
    ]
    base = alt.Chart(bins).encode(x=x, y=y, color=color, tooltip=tooltip)
    layers = [] if guide is None else [vertical_rule(guide, x)]
    layers.append(base.mark_line(interpolate="step", strokeWidth=2, opacity=0.75))
    points = bins[bins["n"] > 0]
    layers.append(
        alt.Chart(points)
        .mark_point(size=60, filled=True, opacity=1)
        .encode(x=x, y=y, color=color, shape=shape, tooltip=tooltip)
    )
    return Figure((Panel(layered(layers, width=520, height=300), metric),), title)
