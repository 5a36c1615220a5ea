"""Colours, fonts and sizes of every figure, applied to a chart and never to Altair's global theme."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import altair as alt

__all__ = ["CONFIG", "GREY", "INK", "PALETTE", "Chart", "themed"]

Chart = alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart
AnyChart = TypeVar("AnyChart", bound=Chart)

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito's colour-blind safe colours, those with the best contrast on white first."""
INK = "#222222"
GREY = "#666666"

_TEXT = {"labelFontSize": 14, "labelColor": INK, "titleFontSize": 15, "titleColor": INK, "titleFontWeight": "normal"}
CONFIG: dict[str, Any] = {
    "font": "Helvetica, Arial, 'DejaVu Sans', sans-serif",
    "background": "white",
    "padding": 12,
    "view": {"continuousWidth": 400, "continuousHeight": 300, "stroke": None},
    "axis": {**_TEXT, "gridColor": "#E6E6E6", "domainColor": GREY, "tickColor": GREY, "titlePadding": 10},
    "legend": {
        **_TEXT,
        "labelLimit": 320,
        "titleLimit": 620,
        "symbolSize": 110,
        "symbolStrokeWidth": 2,
        "columnPadding": 20,
    },
    "title": {"fontSize": 18, "color": INK, "subtitleFontSize": 14, "subtitleColor": GREY, "anchor": "start"},
    "range": {"category": list(PALETTE)},
}
"""Vega-Lite configuration whose text stays readable when a figure fills one column of a paper."""


def themed(chart: AnyChart) -> AnyChart:
    """A copy of a chart with the look of LCL Lab's figures.

    Vega-Lite allows a configuration on the outermost chart only, so compose charts first.

    Args:
        chart: the outermost chart.

    Returns:
        The chart with `CONFIG`; it takes precedence over the user's Altair theme.
    """
    return cast(AnyChart, chart.configure(**CONFIG))
