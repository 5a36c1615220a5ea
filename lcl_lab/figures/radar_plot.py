"""The radar of the paper's Figure 3: accuracy by category, one closed line per model."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, series_names
from lcl_lab.figures.panels import Figure, Panel, groups, layered
from lcl_lab.figures.theme import INK

__all__ = ["radar_figure"]

_RINGS = (0.25, 0.5, 0.75, 1.0)
_SIDE = 480
_LIMIT = 1.32  # of the axes: room for the names around the outermost ring
_SCALE = alt.Scale(domain=[-_LIMIT, _LIMIT], nice=False)
_X, _Y = alt.X("x:Q", scale=_SCALE, axis=None), alt.Y("y:Q", scale=_SCALE, axis=None)


def radar_figure(rows: pd.DataFrame, category: str, title: str) -> Figure:
    """A radar with one spoke per category, one panel per metric.

    Args:
        rows: with the columns model, `category` and estimate (0 at the centre, 1 at the outermost ring), and
            optionally metric.
        category: the column with the names of the spokes, clockwise from the top in the order of the rows.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models, names = series_names(rows), rows[category].drop_duplicates().tolist()
    angles = {name: 2 * np.pi * number / len(names) for number, name in enumerate(names)}
    panels = []
    for metric, heading, shown in groups(rows):
        layers = [*_web(list(angles.values())), *_lines(shown, category, angles, models), _names(angles)]
        chart = layered(layers, width=_SIDE, height=_SIDE)
        panels.append(Panel(chart, metric, heading))
    return Figure(tuple(panels), title, spacing=30)


def _web(angles: list[float]) -> list[alt.Chart]:
    """The grey rings and their values."""
    rings = pd.concat([_closed([(angle, ring) for angle in angles]).assign(ring=ring) for ring in _RINGS])
    web = alt.Chart(rings).mark_line(color="#DDDDDD", strokeWidth=1)
    marks = pd.DataFrame({"x": 0.02, "y": _RINGS, "text": [f"{ring:.2f}" for ring in _RINGS]})
    values = alt.Chart(marks).mark_text(color="#777777", align="left", fontSize=12)
    return [
        web.encode(x=_X, y=_Y, order=alt.Order("order:Q"), detail=alt.Detail("ring:N")),
        values.encode(x=_X, y=_Y, text=alt.Text("text:N")),
    ]


def _lines(rows: pd.DataFrame, category: str, angles: dict[str, float], models: list[str]) -> list[alt.Chart]:
    """One closed line with points per model."""
    closed = []
    for model, shown in rows.groupby("model", sort=False):
        # Rows of another metric may come in another order; a line must go around the spokes.
        points = sorted((angles[name], value) for name, value in zip(shown[category], shown["estimate"], strict=True))
        closed.append(_closed(points).assign(model=model))
    color, shape = color_and_shape(models, "Model")
    base = alt.Chart(pd.concat(closed)).encode(x=_X, y=_Y, color=color)
    return [
        base.mark_line(strokeWidth=2.2).encode(order=alt.Order("order:Q"), detail=alt.Detail("model:N")),
        base.mark_point(size=50, filled=True, opacity=1).encode(shape=shape, tooltip=[alt.Tooltip("model:N")]),
    ]


def _names(angles: dict[str, float]) -> alt.Chart:
    labels = pd.DataFrame(
        [(1.2 * np.sin(angle), 1.13 * np.cos(angle), name) for name, angle in angles.items()],
        columns=["x", "y", "name"],
    )
    return alt.Chart(labels).mark_text(color=INK, fontSize=14).encode(x=_X, y=_Y, text=alt.Text("name:N"))


def _closed(points: list[tuple[float, float]]) -> pd.DataFrame:
    """Angles (clockwise from the top) and radii to the x and y of a line that ends where it starts."""
    loop = [*points, points[0]]
    return pd.DataFrame(
        {
            "x": [radius * np.sin(angle) for angle, radius in loop],
            "y": [radius * np.cos(angle) for angle, radius in loop],
            "order": range(len(loop)),
        }
    )
