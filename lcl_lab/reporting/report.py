"""Findings as `report.md` with its figures, and as one self-contained `report.html`."""

from __future__ import annotations

import base64
import html
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt
from PIL.Image import Image

from lcl_lab.atomic import atomic_path, write_text
from lcl_lab.control_characters import remove_controls
from lcl_lab.figures.panels import Figure
from lcl_lab.reporting.findings import Findings
from lcl_lab.reporting.glossary import terms_markdown
from lcl_lab.reporting.html_page import dark_aware, html_document
from lcl_lab.reporting.methods_paragraph import methods_markdown
from lcl_lab.reporting.tables import caption_text, claims_table, markdown_rows, table_text

if TYPE_CHECKING:
    from lcl_lab.store import Provenance

__all__ = ["Part", "findings_body", "findings_markdown", "findings_page", "write_collection", "write_report"]

_FIGURE = re.compile(r"(\.\./\.\./\w+/[\w-]+/)?[\w-]+\.png")
_METHOD = ("Question", "Source", "Design")
_NAME_WIDTH = 11


@dataclass(frozen=True)
class Part:
    """One study in a report of several.

    Attributes:
        study: the study's name.
        run: the name of its run directory.
        command: the command that runs it alone.
        findings: what it found.
    """

    study: str
    run: str
    command: Sequence[str]
    findings: Findings


def write_report(
    folder: Path, findings: Findings, doc: str, provenance: Provenance, links: Collection[str] = ()
) -> None:
    """Write report.md, report.html and the figures that both show into a run directory.

    Args:
        folder: the run directory.
        findings: what to report.
        doc: the study's docstring; its lines Question, Source and Design open the report.
        provenance: command, commit and versions, which close the report.
        links: the only addresses that links of the page may have.

    Raises:
        UserError: a file cannot be written.
    """
    for section in findings.sections:
        if isinstance(section.figure, Figure):
            section.figure.save(folder, section.name)
        elif section.figure is not None:
            _save_image(section.figure, folder / f"{section.name}.png")
    lines = [f"# {findings.title}", "", *_method(doc), *findings_markdown(findings), *_methods(findings)]
    _write(folder, findings.title, [*lines, "## Reproduce", "", *_origin(provenance)], links)


def write_collection(folder: Path, title: str, parts: Sequence[Part], provenance: Provenance) -> None:
    """Write report.md and report.html that show the findings of several studies, the paper's claims first.

    Raises:
        UserError: a file cannot be written.
    """
    claims = [claim for part in parts for claim in part.findings.claims]
    counts = ", ".join(f"{n} {verdict}" for verdict, n in Counter(claim.verdict for claim in claims).most_common())
    lines = [f"# {title}", "", f"Of {len(claims)} claims of the paper: {counts}.", ""]
    lines += [*markdown_rows(claims_table(claims)), ""]
    for part in parts:
        location = f"../../{part.study}/{part.run}/"
        lines += [f"## {part.findings.title}", "", *findings_markdown(part.findings, 3, location)]
        lines += _methods(part.findings, 3)
        lines += ["```sh", shlex.join(part.command), "```", ""]
    _write(folder, title, [*lines, "## Reproduce", "", *_origin(provenance)])


def findings_page(findings: Findings, doc: str = "", notes: Sequence[str] = ()) -> str:
    """Findings as one HTML page that fetches nothing.

    Args:
        findings: what to show.
        doc: the study's docstring.
        notes: lines of Markdown for the end of the page.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for section in findings.sections:
            if isinstance(section.figure, Figure):
                section.figure.write(folder / f"{section.name}.svg")
            elif section.figure is not None:
                section.figure.save(folder / f"{section.name}.png")
        lines = [f"# {findings.title}", "", *_method(doc), *findings_markdown(findings), *_methods(findings), *notes]
        return _page(findings.title, remove_controls("\n".join(lines)), folder)


def findings_markdown(findings: Findings, level: int = 2, location: str = "") -> Iterator[str]:
    """The lines of sections and claims in Markdown.

    Args:
        findings: what to show.
        level: heading level of sections.
        location: prefix of the figures' paths.
    """
    for section in findings.sections:
        yield from (f"{'#' * level} {section.heading}", "")
        if section.figure is not None:
            yield from (f"![{section.heading}]({location}{section.name}.png)", "")
        yield from (*(f"- {statement.text}" for statement in section.statements), "")
        for table in section.tables:
            yield from (f"{caption_text(table)}:", "", *markdown_rows(table_text(table)), "")
    if findings.claims:
        yield from (
            f"{'#' * level} Compared with the paper",
            "",
            *markdown_rows(claims_table(findings.claims, findings.looks)),
            "",
        )


def _methods(findings: Findings, level: int = 2) -> Iterator[str]:
    """The sections with terms, and with the methods paragraph and its references; none where nothing was analysed."""
    terms = terms_markdown(findings)
    if terms:
        yield from (f"{'#' * level} Terms", "", *terms, "")
    text, cited = methods_markdown(findings)
    if text:
        yield from (f"{'#' * level} Methods", "", text, "", *([*cited, ""] if cited else []))


def _save_image(image: Image, path: Path) -> None:
    with atomic_path(path) as temporary:
        image.save(temporary, format="png")


def _write(folder: Path, title: str, lines: Sequence[str], links: Collection[str] = ()) -> None:
    text = remove_controls("\n".join([*lines, ""]))
    write_text(folder / "report.md", text)
    write_text(folder / "report.html", _page(title, text, folder, links))


def _method(doc: str) -> Iterator[str]:
    """The entries Question, Source and Design of a study's docstring, whose first 11 columns hold their names."""
    entries: list[tuple[str, list[str]]] = []
    for line in dedent(doc).splitlines():
        name, text = line[:_NAME_WIDTH].strip(), line[_NAME_WIDTH:].strip()
        if name:
            entries.append((name, [text]))
        elif entries and text:
            entries[-1][1].append(text)
    for name, lines in entries:
        if name in _METHOD:
            yield from (f"**{name}.** {' '.join(lines)}", "")


def _origin(provenance: Provenance) -> Iterator[str]:
    yield from ("```sh", provenance.command, "```", "")
    yield f"- commit: {provenance.commit or 'unknown'}{' with uncommitted changes' if provenance.dirty else ''}"
    device = "" if provenance.device == "none" else f"{provenance.device}, "  # where no model was loaded
    yield f"- {provenance.seconds:.0f} s on {device}{provenance.cpu_count} cores, {provenance.platform}"
    yield f"- {', '.join(f'{name} {version}' for name, version in provenance.versions.items())}"


def markdown_page(title: str, markdown: str, links: Collection[str] = ()) -> str:
    """Markdown as one HTML page in the style of reports, without pictures.

    Args:
        title: of the page.
        markdown: its content.
        links: the only addresses that links may have.
    """
    return _page(title, remove_controls(markdown), Path(), links)


def findings_body(findings: Findings, figures: Mapping[str, str], doc: str = "") -> str:
    """Findings as the HTML of a page's body, with figures of another form than pictures.

    Args:
        findings: what to show.
        figures: the HTML of each figure, by the name of its section.
        doc: the study's docstring.
    """
    lines = [f"# {findings.title}", "", *_method(doc), *findings_markdown(findings), *_methods(findings)]
    content = _rendered(remove_controls("\n".join(lines)))
    return re.sub(r'<p><img src="([\w-]+)\.png"[^>]*></p>', lambda match: figures.get(match[1], ""), content)


def _page(title: str, markdown: str, folder: Path, links: Collection[str] = ()) -> str:
    """One HTML page: it fetches nothing, and text of models or users cannot become markup."""

    def inline(match: re.Match[str]) -> str:
        file = folder / html.unescape(match[1])
        vector = file.with_suffix(".svg")
        kind, source = ("svg+xml", vector) if vector.is_file() else ("png", file)
        content = source.read_bytes() if source.is_file() else b""
        if source is vector:
            content = dark_aware(content.decode()).encode()
        return f'src="data:image/{kind};base64,{base64.b64encode(content).decode()}"'

    content = re.sub(r'src="([^"]+\.png)"', inline, _rendered(markdown, links))
    return html_document(title, f"<main>{content}</main>")


def _rendered(markdown: str, links: Collection[str] = ()) -> str:
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    # Names of models and answers may contain Markdown: only links to the report's own figures are followed.
    reader.validateLink = lambda url: url in links or bool(_FIGURE.fullmatch(url))  # type: ignore[method-assign]
    return str(reader.render(markdown))
