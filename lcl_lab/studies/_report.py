"""A study's findings in the terminal, as `report.md` with its figures, and as one self-contained `report.html`."""

from __future__ import annotations

import base64
import html
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from typing import TYPE_CHECKING

import pandas as pd
from markdown_it import MarkdownIt
from PIL.Image import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table as Grid

from lcl_lab.store import Provenance
from lcl_lab.studies._findings import Claim, Findings, Table

if TYPE_CHECKING:
    from lcl_lab.studies._run import Part

__all__ = ["body", "findings_page", "print_claims", "print_findings", "write_collection", "write_report"]

_FIGURE = re.compile(r"(\.\./\.\./\w+/[\w-]+/)?[\w-]+\.png")
_ACROSS = 5  # columns of numbers in the terminal
_STYLE = """
body { font: 16px/1.5 Helvetica, Arial, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; font-size: 14px; margin: 1rem 0; display: block; overflow-x: auto }
th, td { padding: 4px 10px; border-bottom: 1px solid #ddd; text-align: left; white-space: nowrap }
td { font-variant-numeric: tabular-nums }
td:last-child { white-space: normal }
img { max-width: 100% }
code, pre { background: #f4f4f4; padding: 1px 4px; font-size: 14px }
pre { padding: 8px; overflow-x: auto }
"""


def print_findings(console: Console, findings: Findings) -> None:
    """The first table of each section under its heading, its sentences, and the paper's claims."""
    console.print(f"[bold]{escape(findings.title)}[/bold]")
    for section in findings.sections:
        if len(findings.sections) > 1:
            console.print(f"\n[bold]{escape(section.heading)}[/bold]")
        for table in section.tables[:1]:
            console.print(*_grids(table))
        for sentence in section.sentences:
            console.print(Markdown(f"- {sentence}"))
    print_claims(console, findings.claims)


def print_claims(console: Console, claims: Sequence[Claim]) -> None:
    """The paper's claims beside what was found; nothing where there are none."""
    if claims:
        table = _claims(claims)
        console.print(_grid(table.caption, table.rows, names=len(table.rows.columns)))


def write_report(folder: Path, findings: Findings, doc: str, provenance: Provenance) -> None:
    """Write report.md, report.html and the figures that both show into a run directory.

    `doc` is the study's docstring: its lines Question, Source and Design stand at the head.
    """
    _save_figures(folder, findings)
    lines = [f"# {findings.title}", "", *_method(doc), *body(findings), "## Repeat it", "", *_origin(provenance)]
    _write(folder, findings.title, lines)


def write_collection(folder: Path, title: str, parts: Sequence[Part], provenance: Provenance) -> None:
    """Write report.md and report.html that show several studies' findings, the paper's claims first."""
    claims = [claim for part in parts for claim in part.outcome.findings.claims]
    counts = Counter(claim.verdict for claim in claims)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    lines = [
        f"# {title}",
        "",
        f"Of {len(claims)} claims of the paper: {told}.",
        "",
        *_markdown(_claims(claims).rows),
        "",
    ]
    for part in parts:
        place = f"../../{part.study}/{part.outcome.path.name}/"
        lines += [f"## {part.outcome.findings.title}", "", *body(part.outcome.findings, 3, place)]
        lines += ["```sh", shlex.join(part.command), "```", ""]
    _write(folder, title, [*lines, "## Repeat it", "", *_origin(provenance)])


def findings_page(findings: Findings, doc: str = "", notes: Sequence[str] = ()) -> str:
    """Findings as one HTML file that fetches nothing, with lines of Markdown below them."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        for section in findings.sections:
            if isinstance(section.figure, Image):
                section.figure.save(folder / f"{section.name}.png")
            elif section.figure is not None:
                section.figure.save(folder, section.name)
        lines = [f"# {findings.title}", "", *_method(doc), *body(findings), *notes]
        return _page(findings.title, "\n".join(lines), folder)


def _save_figures(folder: Path, findings: Findings) -> None:
    """Every section's figure: charts as HTML, PNG and SVG, pictures as PNG."""
    for section in findings.sections:
        if isinstance(section.figure, Image):
            section.figure.save(folder / f"{section.name}.png")
        elif section.figure is not None:
            section.figure.save(folder, section.name)


def body(findings: Findings, level: int = 2, place: str = "") -> Iterator[str]:
    """The sections and claims as Markdown; `place` is where the figures lie, seen from the report."""
    for section in findings.sections:
        yield from (f"{'#' * level} {section.heading}", "")
        if section.figure is not None:
            yield from (f"![{section.heading}]({place}{section.name}.png)", "")
        yield from (*(f"- {sentence}" for sentence in section.sentences), "")
        for table in section.tables:
            yield from (f"{table.caption}:", "", *_markdown(table.rows), "")
    if findings.claims:
        yield from (f"{'#' * level} Beside the paper", "", *_markdown(_claims(findings.claims).rows), "")


def _write(folder: Path, title: str, lines: Sequence[str]) -> None:
    text = "\n".join([*lines, ""])
    (folder / "report.md").write_text(text, encoding="utf-8")
    (folder / "report.html").write_text(_page(title, text, folder), encoding="utf-8")


def _method(doc: str) -> Iterator[str]:
    parts = re.findall(r"^(Question|Source|Design) +(.*(?:\n +.*)*)", dedent(doc), flags=re.MULTILINE)
    for name, text in parts:
        yield from (f"**{name}.** {' '.join(text.split())}", "")


def _origin(provenance: Provenance) -> Iterator[str]:
    yield from ("```sh", provenance.command, "```", "")
    yield f"- commit: {provenance.commit or 'unknown'}{' with uncommitted changes' if provenance.dirty else ''}"
    yield f"- {provenance.seconds:.0f} s on {provenance.device}, {provenance.cpu_count} cores, {provenance.platform}"
    yield f"- {', '.join(f'{name} {version}' for name, version in provenance.versions.items())}"


def _claims(claims: Sequence[Claim]) -> Table:
    rows = [(claim.source, claim.claim, claim.ours, claim.verdict) for claim in claims]
    return Table("The paper's claims", pd.DataFrame(rows, columns=["paper", "claim", "here", "verdict"]))


def _markdown(rows: pd.DataFrame) -> list[str]:
    lines = [list(map(str, rows.columns)), ["---"] * rows.shape[1], *rows.astype(str).to_numpy().tolist()]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _grids(table: Table) -> Iterator[Grid]:
    """The table in parts that are narrow enough for 80 columns; each has the first columns, which name its rows."""
    names = max(1, sum(column in ("model", "metric") for column in table.rows.columns))
    heads, columns = list(table.rows.columns[:names]), list(table.rows.columns[names:])
    for start in range(0, len(columns), _ACROSS):
        part = table.rows[[*heads, *columns[start : start + _ACROSS]]]
        yield _grid(table.caption if start == 0 else "", part, names)


def _grid(caption: str, rows: pd.DataFrame, names: int) -> Grid:
    grid = Grid(title=escape(caption), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, column in enumerate(rows.columns):
        grid.add_column(str(column), justify="left" if number < names else "right", overflow="fold")
    before = ""
    for first, *rest in rows.astype(str).map(escape).to_numpy().tolist():
        if before and first != before:
            grid.add_section()
        grid.add_row("" if first == before else first, *map(_narrow, rest))
        before = first
    return grid


def _narrow(cell: str) -> str:
    """`0.95 [0.91, 0.98]` on two lines, narrow enough for five conditions in 80 columns."""
    found = re.fullmatch(r"([+-]?\d\.\d+) \[([+-]?)0?(\S+), ([+-]?)0?(\S+)\]", cell)
    return f"{found[1]}\n{found[2]}{found[3]}–{found[4]}{found[5]}" if found else cell


def _page(title: str, markdown: str, folder: Path) -> str:
    """One HTML file: nothing in it is fetched, and text of models or users cannot become markup."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    # Names of models and answers may hold Markdown: the only links that are any are those to our own figures.
    reader.validateLink = lambda url: bool(_FIGURE.fullmatch(url))  # type: ignore[method-assign]

    def inline(match: re.Match[str]) -> str:
        file = folder / html.unescape(match[1])
        vector = file.with_suffix(".svg")
        kind, content = ("svg+xml", vector) if vector.is_file() else ("png", file)
        read = content.read_bytes() if content.is_file() else b""
        return f'src="data:image/{kind};base64,{base64.b64encode(read).decode()}"'

    content = re.sub(r'src="([^"]+\.png)"', inline, reader.render(markdown))
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{content}</body></html>'
