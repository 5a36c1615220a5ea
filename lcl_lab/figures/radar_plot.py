"""The radar of the paper's Figure 3: accuracy by category, a closed line a model."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from lcl_lab.figures.encodings import looks, models_in
from lcl_lab.figures.theme import INK, Chart

__all__ = ["radar_chart"]

_RINGS = (0.25, 0.5, 0.75, 1.0)
_SIDE = 460
_REACH = 1.32  # room for the names around the outermost ring


def radar_chart(rows: pd.DataFrame, category: str, title: str) -> Chart:
    """`rows` have the columns model, `category` and estimate (0 at the centre, 1 at the outermost ring).

    Raises:
        UserError: nothing to draw, or more models than can be told apart.
    """
    models, names = models_in(rows), rows[category].drop_duplicates().tolist()
    angles = {name: 2 * np.pi * number / len(names) for number, name in enumerate(names)}
    scale = alt.Scale(domain=[-_REACH, _REACH], nice=False)
    x, y = alt.X("x:Q", scale=scale, axis=None), alt.Y("y:Q", scale=scale, axis=None)
    order = alt.Order("order:Q")

    rings = pd.concat([_closed([(a, ring) for a in angles.values()]).assign(ring=ring) for ring in _RINGS])
    web = alt.Chart(rings).mark_line(color="#DDDDDD", strokeWidth=1).encode(x=x, y=y, order=order, detail="ring:N")
    marks = pd.DataFrame({"x": 0.02, "y": _RINGS, "text": [f"{ring:.2f}" for ring in _RINGS]})
    scales = alt.Chart(marks).mark_text(color="#777777", align="left", fontSize=11).encode(x=x, y=y, text="text:N")
    labels = pd.DataFrame([(1.2 * np.sin(a), 1.13 * np.cos(a), n) for n, a in angles.items()], columns=["x", "y", "n"])
    around = alt.Chart(labels).mark_text(color=INK, fontSize=12).encode(x=x, y=y, text="n:N")

    lines = pd.concat(
        [
            _closed([(angles[name], value) for name, value in zip(own[category], own["estimate"], strict=True)]).assign(
                model=model
            )
            for model, own in rows.groupby("model", sort=False)
        ]
    )
    color, shape = looks(models, "Model")
    base = alt.Chart(lines).encode(x=x, y=y, color=color)
    drawn = [
        base.mark_line(strokeWidth=2.2).encode(order=order, detail="model:N"),
        base.mark_point(size=50, filled=True, opacity=1).encode(shape=shape, tooltip=["model:N"]),
    ]
    return alt.layer(web, scales, *drawn, around).properties(width=_SIDE, height=_SIDE, title=title)


def _closed(points: list[tuple[float, float]]) -> pd.DataFrame:
    """Angles (from the top, clockwise) and radii as a line that ends where it begins."""
    around = [*points, points[0]]
    return pd.DataFrame(
        {
            "x": [radius * np.sin(angle) for angle, radius in around],
            "y": [radius * np.cos(angle) for angle, radius in around],
            "order": range(len(around)),
        }
    )
