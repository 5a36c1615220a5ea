"""Typed findings on a page: statements, panels that can be clicked and saved, tables and claims as CSV, and export."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from lcl_lab import figures, reporting
from lcl_lab.dashboard.escape import escape_markdown, show_paragraph, show_statements

if TYPE_CHECKING:
    from lcl_lab.figures import Figure
    from lcl_lab.figures.formats import Format
    from lcl_lab.reporting import Claim, Findings, Section, Table

__all__ = ["show_chart", "show_export", "show_findings", "show_rows", "show_table"]

_SELECTION = "picked"  # the Vega-Lite parameter that a click on a point sets
_FOR_PAPER = "For a paper"
_PAPER_HELP = "PDF and SVG files 3.3 and 6.9 inches wide, without title, and the caption with n"
_PANELS_PER_ROW = 2
_CELL_LETTER, _CELL_PADDING, _WIDEST_CELL = 7.6, 24, 560  # pixels
_FEW = 3  # statements that are read one by one; more are folded
_NAME_WORDS = 8  # of a caption in the name of a file
_FORMATS: Mapping[Format, tuple[str, str]] = {
    "png": ("PNG", "image/png"),
    "svg": ("SVG", "image/svg+xml"),
    "json": ("Vega-Lite", "application/json"),
}


def show_findings(findings: Findings, key: str, columns: Sequence[str] = ()) -> dict[str, Any] | None:
    """Show all sections: figure and verdicts, then numbers and sentences, folded; the paper's claims after the first.

    Args:
        findings: what to show.
        key: begins the key of every element.
        columns: the columns of a figure's data that identify a point.

    Returns:
        The values of `columns` at the point that was clicked; None if none was.
    """
    picked = None
    for number, section in enumerate(findings.sections):
        if len(findings.sections) > 1:
            st.subheader(escape_markdown(section.heading))
        picked = _show_section(section, key, number, columns) or picked
        if number == 0 and findings.claims:
            st.subheader("Compared with the paper")
            _show_claims(findings.claims, findings.looks, key)
    _show_methods(findings)
    return picked


def show_chart(
    figure: Figure, key: str, name: str, columns: Sequence[str] = (), section: Section | None = None
) -> dict[str, Any] | None:
    """Show the panels of a figure side by side, or below one another on a phone, and offer to save the figure.

    Args:
        figure: what to show.
        key: begins the key of every panel, after which come the panel's metric and number.
        name: stem of the saved files.
        columns: as in `show_findings`.
        section: the section of the figure, whose caption is saved with the files for a paper.

    Returns:
        As `show_findings`.
    """
    picked = None
    rows = range(0, len(figure.panels), _PANELS_PER_ROW)
    places = [place for _ in rows for place in st.columns(min(_PANELS_PER_ROW, len(figure.panels)))]
    specs = figures.panel_specs(figure)
    for number, (place, panel, spec) in enumerate(zip(places, figure.panels, specs, strict=False)):
        with place:
            picked = _show_panel(spec, f"{key}-{panel.metric or 'panel'}-{number}", columns) or picked
    with st.popover("Save"):
        for form, (label, mime) in _FORMATS.items():
            content = partial(figure.render, form)
            st.download_button(label, content, f"{name}.{form}", mime, key=f"{key}-{form}", on_click="ignore")
        of_paper = section or reporting.Section(figure.title or name, figure=figure, name=name)
        archive = partial(reporting.figure_archive, of_paper)
        names = f"{name}-paper.zip", "application/zip"
        st.download_button(_FOR_PAPER, archive, *names, help=_PAPER_HELP, key=f"{key}-paper", on_click="ignore")
    return picked


def show_table(table: Table, key: str, name: str) -> None:
    """Show a table under its caption, with its typed rows as CSV.

    Args:
        table: what to show.
        key: begins the key of every element.
        name: begins the name of the file, after which come the words of the caption.
    """
    st.caption(escape_markdown(reporting.caption_text(table)))
    show_rows(reporting.table_text(table))
    words = re.findall(r"\w+", table.caption.lower())
    _offer_csv(table.frame, key, "-".join([name, *words[:_NAME_WORDS]]))


def show_rows(rows: pd.DataFrame) -> None:
    """Show rows whose texts are not cut where the page has room for them: columns are as wide as their longest text."""
    widths = {
        str(name): st.column_config.Column(width=_width([str(name), *map(str, rows[name])]))
        for name in rows.columns
        if not pd.api.types.is_numeric_dtype(rows[name])
    }
    st.dataframe(rows, hide_index=True, column_config=widths)


def show_export(findings: Findings, name: str, doc: str = "", notes: Sequence[str] = ()) -> None:
    """Buttons that save findings as one HTML file, which fetches nothing, and as LaTeX; see `findings_page`."""

    def content() -> bytes:
        return reporting.findings_page(findings, doc, notes).encode()

    def archive() -> bytes:
        return reporting.latex_archive(findings)

    with st.container(horizontal=True):
        st.download_button("Export report", content, f"{name}.html", "text/html", on_click="ignore")
        st.download_button("Export LaTeX", archive, f"{name}-latex.zip", "application/zip", on_click="ignore")


def _show_section(section: Section, name: str, place: int, columns: Sequence[str]) -> dict[str, Any] | None:
    picked, key = None, f"{name}-{place}"
    if isinstance(section.figure, figures.Figure):
        picked = show_chart(section.figure, key, section.name, columns, section)
    elif section.figure is not None:
        st.image(section.figure, alt=section.heading)
    verdicts = reporting.verdict_table(section.statements)
    if len(verdicts):
        st.table(verdicts.map(escape_markdown), border="horizontal", hide_index=True)
    is_wall = len(verdicts) > 0 or len(section.statements) > _FEW
    with st.expander(f"In words: {len(section.statements)} statements") if is_wall else nullcontext():
        show_statements(section.statements)
    for number, table in enumerate(section.tables):
        is_only = number == 0 and section.figure is None and not len(verdicts)
        with nullcontext() if is_only else st.expander(escape_markdown(reporting.caption_text(table))):
            show_table(table, f"{key}-table-{number}", name)
    return picked


def _show_claims(claims: Sequence[Claim], looks: int, name: str) -> None:
    text = reporting.claims_table(claims, looks).map(escape_markdown)
    st.table(text, border="horizontal", hide_index=True)  # whole sentences, which a data frame would cut
    frame = reporting.Table.from_rows("Claims", [_claim_row(claim) for claim in claims]).frame
    _offer_csv(frame, f"{name}-claims", f"{name}-claims")


def _show_methods(findings: Findings) -> None:
    """The methods paragraph with its references, on request."""
    text, cited = reporting.methods_markdown(findings)
    if text:
        with st.expander("Methods"):
            show_paragraph(text.replace("`", ""))
            st.markdown("\n".join(cited))


def _claim_row(claim: Claim) -> dict[str, Any]:
    estimate = claim.estimate
    return {
        "paper": claim.source,
        "claim": claim.claim,
        "subject": claim.subject,
        "metric": claim.metric,
        "estimate": estimate and estimate.value,
        "low": estimate and estimate.low,
        "high": estimate and estimate.high,
        "n": estimate and estimate.n,
        "clusters": estimate and estimate.clusters,
        "p_value": estimate.p_value if estimate else claim.p_value,
        "verdict": claim.verdict,
    }


def _width(texts: Sequence[str]) -> int:
    """Pixels of a column with the given texts."""
    longest = max((len(line) for text in texts for line in text.splitlines()), default=0)
    return min(_CELL_PADDING + round(_CELL_LETTER * longest), _WIDEST_CELL)


def _offer_csv(frame: pd.DataFrame, key: str, name: str) -> None:
    def content() -> bytes:
        return frame.to_csv(index=False).encode()

    st.download_button("CSV", content, f"{name}.csv", "text/csv", key=key, on_click="ignore")


def _show_panel(spec: dict[str, Any], key: str, columns: Sequence[str]) -> dict[str, Any] | None:
    clickable = _make_clickable(spec, columns)
    if st.context.theme.type == "dark":
        spec = figures.recolored(spec)
    options: dict[str, Any] = {"width": "stretch", "theme": None, "key": key}
    if not clickable:
        st.vega_lite_chart(spec, **options)
        return None
    event: Any = st.vega_lite_chart(spec, on_select="rerun", **options)
    points = event["selection"].get(_SELECTION)
    return dict(points[0]) if points else None


def _can_be_chosen(mark: Mapping[str, Any]) -> bool:
    """Whether marks stand for answers: filled points, and what has a pointer as its cursor."""
    return (mark.get("type") == "point" and mark.get("filled") is True) or mark.get("cursor") == "pointer"


def _make_clickable(spec: dict[str, Any], columns: Sequence[str]) -> bool:
    """Make the marks of the first layer that can be chosen selectable; False where there are none."""
    for layer in spec.get("layer", ()):
        mark = layer.get("mark")
        if not (isinstance(mark, dict) and _can_be_chosen(mark)):
            continue
        name = layer.get("data", spec.get("data", {})).get("name")
        rows = spec.get("datasets", {}).get(name) or [{}]
        fields = [column for column in columns if column in rows[0]]
        if fields:
            layer["params"] = [{"name": _SELECTION, "select": {"type": "point", "fields": fields}}]
            layer["mark"] = {**mark, "cursor": "pointer"}
            return True
    return False
