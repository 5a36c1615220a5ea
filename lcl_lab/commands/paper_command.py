"""The command that runs a table or figure of the paper and prints the comparison."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from lcl_lab import paper, reporting
from lcl_lab.atomic import write_text
from lcl_lab.commands.program import Program
from lcl_lab.paper import PaperComparison, PaperReport
from lcl_lab.paper.paper_config import PaperConfig
from lcl_lab.safe_console import SafeConsole

__all__ = ["paper_program"]

_ABOUT = """Run a table or figure of the paper, and compare with the published numbers.

Systems and data are looked up in a folder: converted checkpoints such as paper/lcl-mix, and data such as
paper/ISEKAI-10/ISEKAI-10.json. What is missing is listed with how to get it. Without any, embedded models and datasets
stand in; their numbers are not comparable.
"""


def paper_program(name: str = "lcl paper") -> Program[PaperConfig]:
    """The command that prints the comparison, and the path of the file that it is written to."""
    return Program(name, PaperConfig, _run, _ABOUT)


def _run(config: PaperConfig) -> None:
    report = paper.compare_with_paper(config, verbose=True)
    path = config.results / "paper" / f"{config.item}.md"
    columns = ("dataset", "protocol", "system", report.item.column, "ours", "published", "verdict")
    rows = list(map(_cells, report.comparisons))
    write_text(path, _markdown(report, [columns, tuple("---" for _ in columns), *rows]))
    table = Table(
        *columns, title=f"{report.item.title} of the paper", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    for row in rows:
        table.add_row(*map(escape, row))
    console = SafeConsole()
    console.print(table)
    for note in report.notes:
        console.print(f"- {note}", highlight=False, markup=False)
    console.print(str(path), soft_wrap=True, highlight=False, markup=False)


def _cells(one: PaperComparison) -> tuple[str, ...]:
    return (
        one.dataset,
        one.protocol,
        one.method,
        str(one.condition),
        reporting.format_interval(one.value, one.low, one.high, decimals=2),
        "" if one.published is None else reporting.format_number(one.published, ".2f"),
        one.verdict,
    )


def _markdown(report: PaperReport, lines: Sequence[tuple[str, ...]]) -> str:
    about = "Accuracy of generated answers with 95 % intervals over concept pairs, next to the published numbers."
    if report.item.column == "shots":
        about += " K shots are K images in total, which the release counts as K/2 shots per concept."
    table = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
    notes = [f"- {note}" for note in report.notes]
    return "\n".join([f"# {report.item.title} of the paper", "", about, "", *table, "", *notes, ""])
