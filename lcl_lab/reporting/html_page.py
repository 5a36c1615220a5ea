"""The frame of every HTML file that is written: light and dark by the reader's setting, and as narrow as a phone."""

from __future__ import annotations

import html
import re

from lcl_lab.control_characters import remove_controls
from lcl_lab.figures.page_panels import DARK

__all__ = ["dark_aware", "html_document"]

_STYLE = """
:root { color-scheme: light dark; --ink: #222; --ground: #fff; --soft: #f4f4f4; --line: #ddd; --link: #0060a0 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #eee; --ground: #171614; --soft: #262422; --line: #3c424c; --link: #56b4e9 }
}
* { box-sizing: border-box }
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere }
a { color: var(--link) }
table { border-collapse: collapse; font-size: 14px; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }
td { font-variant-numeric: tabular-nums }
td:last-child { white-space: normal; min-width: 10rem; overflow-wrap: normal }
img { max-width: 100% }
@media (max-width: 40rem) { p:has(> img) { overflow-x: auto } p > img { max-width: 52rem } }
code, pre { background: var(--soft); padding: 1px 4px; font-size: 14px }
pre { padding: 8px; overflow-x: auto; overflow-wrap: normal }
"""
_ROOT = re.compile("<svg[^>]*>")
_SCROLLING = re.compile("<(table|pre|p(?=><img))>")
"""What may be wider than a phone and scrolls alone, which the keyboard must reach."""


def html_document(title: str, body: str, style: str = "", head: str = "") -> str:
    """A complete HTML document.

    Args:
        title: as text.
        body: as HTML.
        style: further rules of CSS.
        head: further elements of the head, as HTML.
    """
    title = html.escape(remove_controls(title))
    start = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    rules = f"<style>{_STYLE}{style}</style>"
    body = _SCROLLING.sub(r'<\1 tabindex="0">', body)
    return (
        f'<!doctype html><html lang="en"><head>{start}<title>{title}</title>{rules}{head}</head>'
        f"<body>{body}</body></html>"
    )


def dark_aware(svg: str) -> str:
    """A figure as SVG that takes the colours of a dark page where the reader prefers dark."""
    rules = "".join(
        f'[{paint}="{light}"]{{{paint}:{dark}}}' for light, dark in DARK.items() for paint in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>"
    return _ROOT.sub(lambda root: f"{root[0]}{style}", svg, count=1)
