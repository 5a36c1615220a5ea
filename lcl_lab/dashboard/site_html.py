"""One page of an exported site: findings with interactive charts, the menu, and nothing from another machine."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lcl_lab import figures, reporting
from lcl_lab.dashboard.escape import escape_html
from lcl_lab.dashboard.token_strips import STRIP_STYLE

if TYPE_CHECKING:
    from lcl_lab.reporting import Findings, Section

__all__ = ["SCRIPTS", "SiteImages", "SitePage", "charts_script", "findings_html", "page_html"]

SCRIPTS = ("assets/vega.js", "assets/charts.js")
"""The scripts of every page: Vega, and what draws the charts with it."""
_LARGEST = 960  # pixels of a picture
_STYLE = """
nav { border-bottom: 1px solid var(--line); padding-bottom: .75rem; margin-bottom: 1.5rem }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .25rem 0; padding: 0 }
nav a, nav summary { padding: 3px 0 } nav a { display: inline-block } nav details ul { padding-left: 1rem }
nav a[aria-current] { color: inherit; font-weight: bold; text-decoration: none }
.charts { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)) }
.chart { min-width: 0 } .chart .view { width: 100% } .chart .view.has-actions { padding-right: 0 }
.chart .view.vega-embed :is(summary, .vega-actions, .vega-actions a) { background: var(--soft); color: var(--ink) }
.chart .view.vega-embed .vega-actions::after { border-bottom-color: var(--soft) }
.sheet { display: flex; flex-wrap: wrap; gap: .5rem }
.sheet figure, .query { margin: 0; width: 6rem; text-align: center }
.sheet img, .sheet .missing, .query img { display: block; width: 6rem; height: 6rem; object-fit: contain;
  border: 3px solid transparent; background: var(--soft) }
.sheet .false img, .sheet .false .missing { border-color: #d55e00 }
.sheet .false .label { color: #b34f00 }
.sheet .label { font-weight: bold } .sheet .note, .missing { font-size: 12px }
.query img, .query .missing { border-color: #0072b2 }
.sheet .near :is(img, .missing) { outline: 3px solid #0072b2 }
@media (prefers-color-scheme: dark) { .sheet .false .label { color: #f0884a } }
"""


@dataclass(frozen=True)
class SitePage:
    """A page.

    Attributes:
        file: its file in the folder of the site.
        title: its name in the menu.
        section: its row of the menu.
        body: its content as HTML.
    """

    file: str
    title: str
    section: str
    body: str = field(repr=False)


class SiteImages:
    """The pictures of a site, each written once.

    Args:
        folder: the folder of the site.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, image: Image.Image) -> str:
        """Write a picture, smaller if it is large, and return its address from any page."""
        shown = image.convert("RGB")
        shown.thumbnail((_LARGEST, 100 * _LARGEST))  # pictures of several episodes are high
        content = io.BytesIO()
        shown.save(content, "PNG", optimize=True)
        name = f"images/{sha256(content.getvalue()).hexdigest()[:16]}.png"
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.getvalue())
        return name


def page_html(page: SitePage, pages: Sequence[SitePage]) -> str:
    """The complete file of a page.

    Args:
        page: the page.
        pages: all pages of the menu, those of a section together.
    """
    menu = ""
    for section in dict.fromkeys(one.section for one in pages):
        entries = "".join(_entry(one, one.file == page.file) for one in pages if one.section == section)
        opened = " open" if section == page.section else ""
        summary = f"<summary>{escape_html(section)}</summary>"
        menu += f"<details{opened}>{summary}<ul>{entries}</ul></details>" if section else f"<ul>{entries}</ul>"
    body = f'<nav aria-label="Pages">{menu}</nav><main>{page.body}</main>'
    scripts = "".join(f'<script src="{script}" defer></script>' for script in SCRIPTS)
    return reporting.html_document(f"{page.title} – LCL Lab", body, _STYLE + STRIP_STYLE, scripts)


def findings_html(findings: Findings, images: SiteImages, doc: str = "") -> str:
    """Findings as the body of a page, with interactive charts."""
    pictured = [section for section in findings.sections if section.figure is not None]
    return reporting.findings_body(findings, {section.name: _figure(section, images) for section in pictured}, doc)


def charts_script() -> str:
    """What draws the charts of a page, in the colours that the reader prefers."""
    return _CHARTS.replace("DARK_COLOURS", json.dumps(figures.DARK))


def _entry(page: SitePage, current: bool) -> str:
    mark = ' aria-current="page"' if current else ""
    return f'<li><a href="{page.file}"{mark}>{escape_html(page.title)}</a></li>'


def _figure(section: Section, images: SiteImages) -> str:
    label = escape_html(section.heading)
    if isinstance(section.figure, figures.Figure):
        specs = figures.panel_specs(section.figure)
        charts = "".join(f'<div class="chart"><div class="view"></div>{_data(spec)}</div>' for spec in specs)
        return f'<div class="charts" role="group" aria-label="{label}">{charts}</div>'
    return f'<p><img src="{images.write(section.figure)}" alt="{label}"></p>' if section.figure is not None else ""


def _data(spec: Mapping[str, object]) -> str:
    text = json.dumps(spec).replace("<", "\\u003c")  # which could end the element
    return f'<script type="application/json">{text}</script>'


_CHARTS = """"use strict";
const DARK = DARK_COLOURS;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const recolored = part =>
  Array.isArray(part) ? part.map(recolored)
  : part && typeof part === "object" ? Object.fromEntries(Object.entries(part).map(
      ([name, value]) => [name, name === "datasets" ? value : recolored(value)]))
  : DARK[part] ?? part;
async function draw(chart) {
  const spec = JSON.parse(chart.querySelector("script").textContent);
  const options = {renderer: "svg", mode: "vega-lite", tooltip: {theme: dark.matches ? "dark" : "light"},
    actions: {export: true, source: false, compiled: false, editor: false}};
  const shown = {...(dark.matches ? recolored(spec) : spec), width: "container", background: "transparent"};
  await vegaEmbed(chart.querySelector(".view"), shown, options);
  chart.querySelector("summary").setAttribute("aria-label", "Save this chart");
}
const drawAll = () => document.querySelectorAll(".chart").forEach(draw);
dark.addEventListener("change", drawAll);
drawAll();
"""
