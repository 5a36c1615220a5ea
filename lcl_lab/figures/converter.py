"""Vega-Lite specifications as the content of files, by vl-convert."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

import altair as alt
import vl_convert

from lcl_lab.disk_cache import DiskCache
from lcl_lab.figures.formats import Format

__all__ = ["RENDERERS", "VERSION", "vega_scripts"]

VERSION = "_".join(alt.SCHEMA_VERSION.split(".")[:2])
"""The version of Vega-Lite, as the converter names it."""
_SCALE = 2  # pixels of a PNG per point
_BUNDLES = 20 << 20  # bytes of bundled scripts on disk, of a few versions
_REMOTE_SCRIPTS = re.compile(r'(?:<script src="https://[^"]+"></script>\s*)+')


def _html(spec: dict[str, Any]) -> str:
    """As the converter's own page with bundled scripts, whose bundling takes longer than drawing."""
    page: str = vl_convert.vegalite_to_html(spec, vl_version=VERSION, bundle=False)
    return _REMOTE_SCRIPTS.sub(lambda _: f'\n<script type="text/javascript">{vega_scripts()}</script>\n', page, count=1)


def _png(spec: dict[str, Any]) -> bytes:
    return vl_convert.svg_to_png(_svg(spec), scale=_SCALE)


def _svg(spec: dict[str, Any]) -> str:
    return _drawn(json.dumps(spec))


def _pdf(spec: dict[str, Any]) -> bytes:
    return vl_convert.svg_to_pdf(_svg(spec))


def _json(spec: dict[str, Any]) -> str:
    return json.dumps(spec, indent=1, sort_keys=True)


RENDERERS: Mapping[Format, Callable[[dict[str, Any]], bytes | str]] = {
    "html": _html,
    "png": _png,
    "svg": _svg,
    "pdf": _pdf,
    "json": _json,
}
"""The content of a file by its format."""


@lru_cache(maxsize=4)  # a figure is saved in several formats one after another
def _drawn(spec: str) -> str:
    return vl_convert.vegalite_to_svg(spec, vl_version=VERSION)


@cache
def vega_scripts() -> str:
    """The scripts of Vega, Vega-Lite and Vega-Embed as one, kept on disk."""
    stored = DiskCache("figures", _BUNDLES)
    key = f"{version('vl-convert-python')} {VERSION}"
    content = stored.get(key)
    if content is None:
        bundle: Callable[..., str] = vl_convert.javascript_bundle  # its declared arguments are not all needed
        content = bundle(vl_version=VERSION).encode()
        stored.set(key, content)
    return content.decode()
