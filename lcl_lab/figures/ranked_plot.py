"""Estimates by category from top to bottom, with room for long names: points side by side, one colour per group."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from lcl_lab.errors import UserError
from lcl_lab.figures.encodings import INTERVAL_TOOLTIP, color_and_shape, vertical_rule
from lcl_lab.figures.panels import Figure, Panel, groups, layered

__all__ = ["ranked_figure"]

_GROUP = 13  # pixels of height per group
_GAP = 12  # pixels between two categories
_LABEL = 190  # pixels of a label, so that a phone has room for the points


def ranked_figure(
    rows: pd.DataFrame,
    category: str,
    title: str,
    *,
    x_title: str,
    group: str,
    group_title: str | None,
    names: Sequence[str],
    domain: Sequence[float] | None = None,
    guide: float | None = None,
    lines: Sequence[str] | None = None,
) -> Figure:
    """Points with interval bars, one row per category; a row has the groups below one another.

    Args:
        rows: with the columns `category`, `group` and estimate, and optionally low and high, metric, and n.
        category: the column on the y axis, in the order of the rows.
        title: of the figure.
        x_title: of the x axis.
        group: the column with a colour and shape per value.
        group_title: of the legend; None for a figure next to one that has it.
        names: all groups in order, so that a group has the same colour in figures that lack another.
        domain: ends of the x axis; None to fit the data, from 0.
        guide: value of a dashed vertical line, such as no change.
        lines: the groups that have a place in every row, so that rows of two figures are level; by default those drawn.

    Raises:
        UserError: nothing to draw.
    """
    if rows.empty:
        raise UserError("there are no estimates to draw")
    color, shape = color_and_shape(names, group_title, group)
    scale = alt.Scale(domain=list(domain), nice=False, padding=8) if domain else alt.Scale(zero=True)
    x = alt.X("estimate:Q", title=x_title, scale=scale, axis=alt.Axis(tickCount=6))
    drawn = set(rows[group])
    places = list(lines or (name for name in names if name in drawn))
    offset = alt.YOffset(f"{group}:N", sort=places, scale=alt.Scale(domain=places, paddingOuter=1))
    tooltip = [alt.Tooltip(f"{category}:N"), alt.Tooltip(f"{group}:N")]
    if "n" in rows:
        tooltip.append(alt.Tooltip("n:Q", title="queries"))
    has_intervals = "low" in rows
    numbers = INTERVAL_TOOLTIP if has_intervals else INTERVAL_TOOLTIP[:1]
    panels = []
    for metric, heading, shown in groups(rows):
        categories = shown[category].drop_duplicates().tolist()
        axis = alt.Axis(labelLimit=_LABEL, labelOverlap=False)
        y = alt.Y(f"{category}:N", sort=categories, title=None, axis=axis)
        base = alt.Chart(shown).encode(y=y, yOffset=offset, color=color, tooltip=[*tooltip, *numbers])
        layers = [] if guide is None else [vertical_rule(guide, x)]
        if has_intervals:
            layers.append(base.mark_rule(strokeWidth=1.8, opacity=0.75).encode(x=_at(x, "low"), x2=alt.X2("high:Q")))
        layers.append(base.mark_point(size=70, filled=True, opacity=1).encode(x=x, shape=shape))
        height = (_GROUP * len(places) + _GAP) * len(categories)
        panels.append(Panel(layered(layers, width=420, height=height), metric, heading))
    return Figure(tuple(panels), title, spacing=30)


def _at(x: alt.X, column: str) -> alt.X:
    """The encoding of another column on the same scale."""
    other = x.copy()
    other.shorthand = f"{column}:Q"
    return other
