"""The panels of a figure for a page: each as wide as its place, on a phone too, and each legend once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lcl_lab.figures.legends import arrange_legends, drop_repeated_legends
from lcl_lab.figures.panels import PANEL_TITLE_SIZE
from lcl_lab.figures.theme import CONFIG

if TYPE_CHECKING:
    from lcl_lab.figures.panels import Figure, Panel

__all__ = ["DARK", "panel_specs", "recolored"]

DARK = {
    "white": "#171614",
    "#222222": "#EEEEEE",
    "#666666": "#A6ACB5",
    "#000000": "#FFFFFF",
    "#E6E6E6": "#31363F",
    "#DDDDDD": "#3C424C",
    "#777777": "#A6ACB5",
    "#BBBBBB": "#5A606A",
}
"""Colours of figures on a dark page, by those on a light one."""


def panel_specs(figure: Figure) -> list[dict[str, Any]]:
    """Each panel of a figure as a Vega-Lite specification that takes the width of its container."""
    specs = [_specification(panel) for panel in figure.panels]
    for spec in specs:
        arrange_legends(spec, None)
        if spec["width"] == spec["height"]:
            _keep_square(spec)
        spec["autosize"] = {"type": "fit-x", "contains": "padding"}  # legends go below the plot and leave it its height
        del spec["width"]
    drop_repeated_legends(specs)
    return specs


def _specification(panel: Panel) -> dict[str, Any]:
    """The chart with its title and configuration, on no background.

    Altair would copy the chart for each of them and validate it, which takes longer than to draw it.
    """
    spec: dict[str, Any] = panel.chart.to_dict(validate=False)
    spec["config"] = {name: value for name, value in CONFIG.items() if name != "background"}
    if panel.title is not None:
        spec["title"] = {"text": panel.title, "fontSize": PANEL_TITLE_SIZE}
    return spec


def recolored(spec: dict[str, Any]) -> dict[str, Any]:
    """A specification with the colours of a dark page; its data stays as it is."""
    return {name: value if name == "datasets" else _recolored(value) for name, value in spec.items()}


def _keep_square(spec: dict[str, Any]) -> None:
    """Give both axes the same units per pixel, whatever the width, so that a circle stays one."""
    longer = {"x": "max(1, width / height)", "y": "max(1, height / width)"}
    for layer in spec["layer"]:
        for axis, factor in longer.items():
            encoding = layer["encoding"][axis]
            low, high = encoding["scale"]["domain"]
            scale = {name: value for name, value in encoding["scale"].items() if name != "domain"}
            ends = {"domainMin": {"expr": f"{low} * {factor}"}, "domainMax": {"expr": f"{high} * {factor}"}}
            encoding["scale"] = scale | ends


def _recolored(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _recolored(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_recolored(value) for value in part]
    return DARK.get(part, part) if isinstance(part, str) else part
