"""Figures as wide as a paper's column or text, with letters of a size that can be read there.

The panels of a figure are arranged again for the width, with the letters, points and lines of the theme; then the whole
is scaled, as a vector graphic, to the exact width.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, Literal

import vl_convert

from lcl_lab.figures.converter import VERSION
from lcl_lab.figures.legends import arrange_legends
from lcl_lab.figures.theme import CONFIG

__all__ = ["PAPER_WIDTHS", "PaperFormat", "paper_svg", "svg_to_pdf"]

PaperFormat = Literal["pdf", "svg"]
PAPER_WIDTHS = {"column": 3.3, "wide": 6.9}
"""Inches of one column of a paper, and of two, in the usual style files of conferences."""
_POINTS = 72  # per inch
_LETTER = 7.5  # points of the labels of axes
_SCALE = _LETTER / CONFIG["axis"]["labelFontSize"]  # from pixels of the theme to points
_NARROWEST, _LEAST_SHARE = 150, 0.42  # of a plot: pixels, and share of its own width
_LOWEST, _ASPECT = 180, 0.68  # of a plot: pixels, and height by width
_ROUNDS = 3
_TOO_WIDE = 1.08  # times the width, at which letters are visibly smaller
_SIZE = re.compile(r'<svg(?P<before>[^>]*?) width="(?P<width>[\d.]+)(in)?" height="(?P<height>[\d.]+)(in)?"')


def paper_svg(specification: dict[str, Any], inches: float, titled: bool = False) -> str:
    """A figure as an SVG file of exactly the given width.

    Args:
        specification: the composed chart in Vega-Lite, whose panels are next to or below one another.
        inches: the width.
        titled: keep the title of the figure, which a paper gives in its caption.
    """
    svg = _fitted(specification, inches * _POINTS / _SCALE, titled)
    width, height = _size(svg)
    return _resized(svg, f"{inches:g}in", f"{inches * height / width:.4f}in")


def svg_to_pdf(svg: str) -> bytes:
    """The PDF file of a figure from `paper_svg`, of the same size."""
    width, height = _size(svg)
    return bytes(vl_convert.svg_to_pdf(_resized(svg, f"{width * _POINTS:.2f}", f"{height * _POINTS:.2f}")))


def _fitted(specification: dict[str, Any], width: float, titled: bool) -> str:
    """The figure as SVG, about as many pixels wide as asked for: plots become narrower or wider, letters do not."""
    columns = _columns(specification, width)
    while True:
        svg = _arranged(specification, width, columns, titled)
        if columns == 1 or _size(svg)[0] <= _TOO_WIDE * width:
            return svg
        columns -= 1  # axes leave less room for plots than usual


def _arranged(specification: dict[str, Any], width: float, columns: int, titled: bool) -> str:
    """The figure with so many panels next to each other."""
    spec = deepcopy(specification)
    panels: list[dict[str, Any]] = spec.pop("hconcat", None) or spec.pop("vconcat")
    if not titled:
        spec.pop("title", None)
    spec |= {"concat": panels, "columns": columns, "spacing": min(spec.get("spacing", 20), 24)}
    spec["config"] = {**spec["config"], "padding": 2}
    arrange_legends(spec, int(width) - 10)
    least = [min(panel["width"], max(_NARROWEST, _LEAST_SHARE * panel["width"])) for panel in panels]
    heights = [panel["height"] for panel in panels]
    originals = [panel["width"] for panel in panels]
    rest = (width - 70 * columns) / columns  # a first guess; what axes take is measured
    svg = ""
    for _ in range(_ROUNDS):
        for panel, original, height, minimum in zip(panels, originals, heights, least, strict=True):
            panel["width"] = max(minimum, rest)
            if original == height:
                panel["height"] = panel["width"]
            elif not _has_rows(panel):
                panel["height"] = min(height, max(_LOWEST, _ASPECT * panel["width"]))
        svg = str(vl_convert.vegalite_to_svg(spec, vl_version=VERSION))
        surplus = width - _size(svg)[0]
        if abs(surplus) < 0.01 * width or (surplus < 0 and all(rest <= minimum for minimum in least)):
            break
        rest += surplus / columns
    return svg


def _has_rows(panel: dict[str, Any]) -> bool:
    """Whether the height of a panel is that of rows with names, such as one per model."""
    ways = [layer.get("encoding", {}).get("y", {}).get("type") for layer in panel.get("layer", ())]
    return bool({"nominal", "ordinal"} & set(ways))


def _columns(specification: dict[str, Any], width: float) -> int:
    """How many panels may be next to each other: as many as have at least half of their own width."""
    panels = specification.get("hconcat")
    if panels is None:
        return 1
    widest = max(panel["width"] for panel in panels)
    fitting = max(1, int(width // (0.55 * widest + 70)))
    rows = -(-len(panels) // min(fitting, len(panels)))
    return -(-len(panels) // rows)


def _size(svg: str) -> tuple[float, float]:
    size = _SIZE.search(svg)
    if size is None:
        raise ValueError("the SVG file has no size")
    return float(size["width"]), float(size["height"])


def _resized(svg: str, width: str, height: str) -> str:
    return _SIZE.sub(rf'<svg\g<before> width="{width}" height="{height}"', svg, count=1)
