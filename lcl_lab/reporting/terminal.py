"""Findings in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table as Grid

from lcl_lab.reporting.findings import Claim, Findings, Table
from lcl_lab.reporting.tables import caption_text, claims_table, table_text
from lcl_lab.reporting.text import format_interval, format_narrow
from lcl_lab.safe_console import SafeConsole

__all__ = ["print_claims", "print_findings"]

_COLUMNS = 5  # of numbers, next to each other in 80 characters


def print_findings(console: SafeConsole, findings: Findings) -> None:
    """Print the first table of each section, its statements, and the claims of the paper."""
    console.print(f"[bold]{escape(findings.title)}[/bold]")
    for section in findings.sections:
        if len(findings.sections) > 1:
            console.print(f"\n[bold]{escape(section.heading)}[/bold]")
        for table in section.tables[:1]:
            console.print(*_grids(table))
        for statement in section.statements:
            console.print(Markdown(f"- {statement.text}"))
    print_claims(console, findings.claims, findings.looks)


def print_claims(console: SafeConsole, claims: Sequence[Claim], looks: int = 1) -> None:
    """Print the claims of the paper next to what was found; nothing where there are none.

    Args:
        console: where to print.
        claims: the claims.
        looks: how often the same question was analysed.
    """
    if claims:
        rows = claims_table(claims, looks)
        console.print(_grid("The paper's claims", rows, names=len(rows.columns)))


def _grids(table: Table) -> Iterator[Grid]:
    """The table in parts narrow enough for 80 characters, each with the columns that identify its rows."""
    rows = table_text(table, format_narrow if table.across else format_interval)
    names = max(1, sum(column in ("model", "metric") for column in rows.columns))
    heads, columns = list(rows.columns[:names]), list(rows.columns[names:])
    for start in range(0, len(columns), _COLUMNS):
        part = rows[[*heads, *columns[start : start + _COLUMNS]]]
        yield _grid(caption_text(table) if start == 0 else "", part, names)


def _grid(caption: str, rows: pd.DataFrame, names: int) -> Grid:
    grid = Grid(title=escape(caption), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, column in enumerate(rows.columns):
        grid.add_column(str(column), justify="left" if number < names else "right", overflow="fold")
    previous = ""
    for first, *rest in rows.astype(str).map(escape).to_numpy().tolist():
        if previous and first != previous:
            grid.add_section()
        grid.add_row("" if first == previous else first, *rest)
        previous = first
    return grid
