"""Reliability diagram: accuracy against confidence, one colour and shape per model."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import color_and_shape, estimate_layers, series_names
from lcl_lab.figures.panels import Figure, Panel, groups, layered
from lcl_lab.figures.theme import GREY

__all__ = ["reliability_figure"]

_X = alt.Scale(domain=[0.5, 1], nice=False, padding=12)
_X_AXIS = alt.Axis(format=".1f", values=[0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
_Y = alt.Scale(domain=[0, 1], nice=False, padding=8)
_TOOLTIP = (
    alt.Tooltip("model:N"),
    alt.Tooltip("confidence:Q", format=".3f"),
    alt.Tooltip("n:Q", title="queries"),
    alt.Tooltip("clusters:Q", title="concept pairs"),
)


def reliability_figure(bins: pd.DataFrame, title: str) -> Figure:
    """Points with intervals, one per bin of confidence and model; a calibrated model lies on the diagonal.

    Args:
        bins: `Calibration.bins` of each model, with the columns model, confidence, estimate, low, high, n and clusters,
            and optionally metric.
        title: of the figure.

    Raises:
        UserError: nothing to draw, or more models than colours.
    """
    models = series_names(bins)
    look = color_and_shape(models)
    x = alt.X("confidence:Q", title="Confidence in the more likely name", scale=_X, axis=_X_AXIS)
    y = alt.Y("estimate:Q", title="Accuracy", scale=_Y, axis=alt.Axis(format=".2f", values=[0, 0.25, 0.5, 0.75, 1]))
    panels = []
    for metric, heading, rows in groups(bins):
        layers = [_diagonal(x, y), *estimate_layers(rows, x, y, look, _TOOLTIP, line=False)]
        panels.append(Panel(layered(layers, width=400, height=320), metric, heading))
    return Figure(tuple(panels), title)


def _diagonal(x: alt.X, y: alt.Y) -> alt.Chart:
    ends = pd.DataFrame({"confidence": [0.5, 1.0], "estimate": [0.5, 1.0]})
    return alt.Chart(ends).mark_line(color=GREY, strokeDash=[2, 3], strokeWidth=1.5).encode(x=x, y=y)
