"""Power against the number of concept pairs: one line per difference, one panel per design."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, estimate_layers, horizontal_rule, series_names
from lcl_lab.figures.panels import Figure, Panel, groups, layered

__all__ = ["power_figure"]

_SIZE = {"width": 300, "height": 260}


def power_figure(curves: pd.DataFrame, target: float, title: str) -> Figure:
    """Lines with the Monte Carlo error as bars, and a dashed line at the power to reach.

    Args:
        curves: with the columns design, difference (as text), pairs, estimate (the power), low and high.
        target: the power to reach, 0 to 1.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more differences than colours.
    """
    names = series_names(curves, "difference")
    look = color_and_shape(names, "Difference in accuracy, with the 95 % interval of the simulation", "difference")
    ticks = sorted(curves["pairs"].unique().tolist())
    scale = alt.Scale(type="log", base=2, domain=[min(ticks), max(ticks)], nice=False, padding=14)
    x = alt.X("pairs:Q", title="Concept pairs", scale=scale, axis=alt.Axis(values=ticks, format="d", labelOverlap=True))
    y = alt.Y("estimate:Q", title="Power", scale=alt.Scale(domain=[0, 1], nice=False), axis=alt.Axis(format=".1f"))
    tooltip = [alt.Tooltip("difference:N"), alt.Tooltip("pairs:Q", title="concept pairs")]
    panels = [
        Panel(
            layered([horizontal_rule(target, y), *estimate_layers(rows, x, y, look, tooltip)], **_SIZE), None, heading
        )
        for _, heading, rows in groups(curves, "design")
    ]
    return Figure(tuple(panels), title, spacing=30)
