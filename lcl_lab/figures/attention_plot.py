"""Attention to the labels of a support: its images in a row, and a bar over each."""

from __future__ import annotations

import base64
from io import BytesIO

import altair as alt
import pandas as pd
from PIL import Image

from lcl_lab.figures.encodings import color_and_shape, series_names
from lcl_lab.figures.panels import Figure, Panel, layered
from lcl_lab.figures.theme import INK

__all__ = ["attention_figure"]

_SIDE = 72  # pixels of an image
_ROOM = 0.32  # of the panel's height below the bars, for images


def attention_figure(rows: pd.DataFrame, title: str, metric: str | None = None) -> Figure:
    """Bars over the images of a support, one panel per head.

    Args:
        rows: with the columns panel, position (1 = first), label, own (whose image it is), attention (0 to 1) and image
            (of `PIL`).
        title: of the figure.
        metric: the metric that the figure belongs to.

    Raises:
        UserError: nothing to draw.
    """
    color, _ = color_and_shape(series_names(rows, "own"), "The image next to the label shows", "own")
    top = max(0.1, float(rows["attention"].max())) * 1.1
    panels = []
    for name, shown in rows.groupby("panel", sort=False):
        placed = shown.assign(
            url=shown["image"].map(_data_url), at=-_ROOM * top / 2, zero=0.0, text=shown["label"]
        ).drop(columns="image")
        x = alt.X("position:O", title="Label in the support (1 = first)", axis=alt.Axis(labelAngle=0))
        scale = alt.Scale(domain=[-_ROOM * top, top], nice=False)
        ticks = alt.Axis(
            labelExpr="datum.value < 0 ? '' : datum.label",
            format="~g",
            tickOpacity=alt.condition("datum.value < 0", alt.value(0), alt.value(1)),
        )
        y = alt.Y("attention:Q", title="Attention", scale=scale, axis=ticks)
        base = alt.Chart(placed).encode(
            x=x, tooltip=[alt.Tooltip("position:O"), alt.Tooltip("label:N"), alt.Tooltip("attention:Q", format=".3f")]
        )
        layers = [
            base.mark_bar().encode(y=y, y2=alt.Y2("zero:Q"), color=color),
            base.mark_text(dy=-8, fontSize=13, color=INK).encode(y=alt.Y("attention:Q"), text=alt.Text("text:N")),
            base.mark_image(width=_SIDE, height=_SIDE).encode(y=alt.Y("at:Q"), url=alt.Url("url:N")),
        ]
        width = max(300, (_SIDE + 12) * len(placed))
        panels.append(Panel(layered(layers, width=width, height=300), metric, str(name)))
    return Figure(tuple(panels), title, stacked=len(panels) > 2 or len(rows) > 16, spacing=28)


def _data_url(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((2 * _SIDE, 2 * _SIDE))
    png = BytesIO()
    small.save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
