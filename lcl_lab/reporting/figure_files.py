"""Figures for a paper: PDF and SVG in the width of its column or text, and what their caption has to say."""

from __future__ import annotations

import re

import pandas as pd

from lcl_lab.control_characters import remove_controls
from lcl_lab.figures.panels import Figure
from lcl_lab.figures.paper_size import PAPER_WIDTHS, svg_to_pdf
from lcl_lab.reporting.findings import Section
from lcl_lab.reporting.zip_archive import zip_archive

__all__ = ["figure_archive", "figure_caption", "paper_figures"]

_UNITS = re.compile(r"intervals over ([\w -]+)$")


def figure_caption(section: Section) -> str:
    """What is needed below a section's figure: what it shows, its panels, intervals, and the number of queries."""
    sentences = [section.heading.rstrip(".")]
    if isinstance(section.figure, Figure):
        titles = [panel.title for panel in section.figure.panels if panel.title]
        if len(titles) > 1:
            sentences.append(f"Panels: {', '.join(titles)}")
    if section.tables:
        sentences.append(section.tables[0].caption.rstrip(".:"))
    counts = _counts(section)
    if counts:
        sentences.append(counts)
    return remove_controls(f"{'. '.join(sentences)}.")


def paper_figures(section: Section) -> dict[str, bytes]:
    """The section's figure as files for a paper, by their names; none where it has no chart.

    A PDF and an SVG file of each width of `PAPER_WIDTHS`, without title, and the caption as text.
    """
    if not isinstance(section.figure, Figure):
        return {}
    files: dict[str, bytes] = {}
    for width, inches in PAPER_WIDTHS.items():
        svg = section.figure.render_for_paper(inches, "svg")
        files |= {f"{section.name}-{width}.svg": svg, f"{section.name}-{width}.pdf": svg_to_pdf(svg.decode())}
    return {**files, f"{section.name}-caption.txt": f"{figure_caption(section)}\n".encode()}


def figure_archive(section: Section) -> bytes:
    """The files of `paper_figures` as the content of a ZIP file."""
    return zip_archive(paper_figures(section))


def _counts(section: Section) -> str:
    """`n = 200 queries of 40 concept pairs per estimate`, of the rows that the figure or the tables have."""
    frames = [table.frame for table in section.tables]
    if isinstance(section.figure, Figure):
        frames = [*section.figure.data, *frames]
    frame = next((frame for frame in frames if "n" in frame and frame["n"].notna().any()), None)
    if frame is None:
        return ""
    units = next(filter(None, (_UNITS.search(table.caption) for table in section.tables)), None)
    of = f" of {_range(frame['clusters'])} {units[1] if units else 'concept pairs'}" if "clusters" in frame else ""
    return f"n = {_range(frame['n'])} queries{of} per estimate"


def _range(numbers: pd.Series) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
