"""How every figure looks, and how it is written to disk."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import altair as alt

__all__ = ["GREY", "INK", "PALETTE", "Chart", "lab_theme", "save"]

Chart = alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart | alt.FacetChart

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
"""Okabe and Ito's colours, which the colour-blind can tell apart, the best visible on white first."""
INK = "#222222"
GREY = "#666666"
_OPTIONS: dict[Literal["html", "png", "svg"], dict[str, Any]] = {
    "html": {"inline": True},
    "png": {"scale_factor": 2},
    "svg": {},
}


@alt.theme.register("lcl_lab", enable=True)
def lab_theme() -> alt.theme.ThemeConfig:
    """Sizes that stay readable in a paper's column; importing this module makes it Altair's theme."""
    text = {"labelFontSize": 14, "labelColor": INK, "titleFontSize": 15, "titleColor": INK, "titleFontWeight": "normal"}
    axis: Any = text | {"gridColor": "#E6E6E6", "domainColor": GREY, "tickColor": GREY, "titlePadding": 10}
    legend: Any = text | {
        "labelLimit": 320,
        "titleLimit": 620,
        "symbolSize": 110,
        "symbolStrokeWidth": 2,
        "columnPadding": 20,
    }
    return {
        "config": {
            "font": "Helvetica, Arial, 'DejaVu Sans', sans-serif",
            "background": "white",
            "padding": 12,
            "view": {"continuousWidth": 400, "continuousHeight": 300, "stroke": None},
            "axis": axis,
            "legend": legend,
            "title": {"fontSize": 18, "color": INK, "subtitleFontSize": 14, "subtitleColor": GREY, "anchor": "start"},
            "range": {"category": list(PALETTE)},
        }
    }


def save(chart: Chart, directory: Path, name: str) -> dict[str, Path]:
    """Writes `name`.html (works offline), .png (two pixels a point) and .svg; the paths by their format.

    Each file appears whole or not at all, and the directory is made if it is not there.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path] = {}
    # A folder inside the destination is on the same file system, where a rename is atomic.
    with TemporaryDirectory(prefix=f".{name}-", dir=directory) as scratch:
        for format, options in _OPTIONS.items():
            part, path = Path(scratch) / f"part.{format}", directory / f"{name}.{format}"
            chart.save(part, format=format, **options)
            os.replace(part, path)
            paths[format] = path
    return paths
