"""Legends that fit: columns and line breaks by the width of a figure, and each legend of a figure once."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

__all__ = ["arrange_legends", "drop_repeated_legends"]

_LETTER = 8.4  # pixels of an average letter, at the theme's size of labels and titles
_SYMBOL = 52  # pixels of a symbol and of the gap to the next column
_NARROWEST = 260  # pixels of a plot on a phone, next to its axis
_BELOW_ONE_ANOTHER = {"bottom": {"anchor": "start", "direction": "vertical"}}


def arrange_legends(spec: dict[str, Any], width: int | None) -> None:
    """Put the legends below a plot below one another, in columns that fit, and break titles that are too wide.

    Args:
        spec: a Vega-Lite specification of one panel or of several, which is changed.
        width: pixels of the plots next to each other; None for a plot whose width is only known when it is drawn.
    """
    spec["config"] = {**spec["config"], "legend": {**spec["config"]["legend"], "layout": _BELOW_ONE_ANOTHER}}
    independent = {name for name, how in spec.get("resolve", {}).get("scale", {}).items() if how == "independent"}
    for panel in (part for name in ("hconcat", "vconcat", "concat") for part in spec.get(name, ())):
        for channel, encoding in _with_legend(panel):
            _arrange(encoding, int(panel["width"]) if channel in independent else width)
    for _, encoding in _with_legend(spec.get("layer", ())):
        _arrange(encoding, width)


def drop_repeated_legends(panels: list[dict[str, Any]]) -> None:
    """Keep each legend of panels that are drawn apart only in the first one that has it."""
    shown: set[str] = set()
    for panel in panels:
        here = set()
        for _, encoding in _with_legend(panel):
            content = json.dumps({name: encoding.get(name) for name in ("field", "legend", "scale")}, sort_keys=True)
            here.add(content)
            if content in shown:
                encoding["legend"] = None
        shown |= here


def _arrange(encoding: dict[str, Any], width: int | None) -> None:
    legend, names = encoding["legend"], encoding.get("scale", {}).get("domain", [])
    room = width or _NARROWEST
    if isinstance(legend.get("title"), str):
        legend["title"] = textwrap.wrap(legend["title"], int(room / _LETTER))
    if legend.get("orient") != "bottom" or not names or not all(isinstance(name, str) for name in names):
        return
    symbol = _SYMBOL + int(legend.get("symbolSize", 0) ** 0.5)
    column, count = symbol + int(_LETTER * max(map(len, names))), len(names)
    if width is None:
        legend["columns"] = {"expr": f"ceil({count} / ceil({count} / clamp(floor(width / {column}), 1, {count})))"}
    else:
        rows = -(-count // min(max(1, width // column), count))
        legend["columns"] = -(-count // rows)
    legend["labelLimit"] = room - symbol // 2


def _with_legend(part: Any, channel: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The channels of a specification whose encoding has a legend."""
    if isinstance(part, list | tuple):
        for value in part:
            yield from _with_legend(value)
    elif isinstance(part, dict):
        if isinstance(part.get("legend"), dict) and "field" in part:
            yield channel, part
        for name, value in part.items():
            if name not in ("datasets", "config", "data"):
                yield from _with_legend(value, name)
