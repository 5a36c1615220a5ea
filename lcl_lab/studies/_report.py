"""A study's findings as a terminal table, a figure and `report.md`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from lcl_lab.figures import save
from lcl_lab.store import Provenance

if TYPE_CHECKING:
    from lcl_lab.studies._run import Findings

__all__ = ["print_table", "write_report"]


def print_table(console: Console, findings: Findings) -> None:
    """Accuracy with its 95 % interval: a row for each model and metric, a column for each condition."""
    cells = _cells(findings, "low", "high").map(_two_lines)
    title = f"{findings.title}: accuracy, and its 95 % interval over concept pairs"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("model")
    table.add_column(f"metric \\ {findings.column}")
    for condition in cells.columns:
        table.add_column(f"{condition:g}", justify="right")
    model = ""
    for (name, metric), row in zip(cells.index.to_list(), cells.to_numpy().tolist(), strict=True):
        if model and name != model:
            table.add_section()
        table.add_row("" if name == model else name, metric, *row)
        model = name
    console.print(table)
    for sentence in findings.sentences:
        console.print(Markdown(f"- {sentence}"))


def write_report(folder: Path, findings: Findings, provenance: Provenance) -> None:
    """Write figure.html, figure.png, figure.svg and report.md, which shows them, into a run directory."""
    save(findings.chart, folder, "figure")
    lines = [
        f"# {findings.title}",
        "",
        "![accuracy by condition](figure.png)",
        "",
        *(f"- {sentence}" for sentence in findings.sentences),
        "",
        "Accuracy, with its 95 % interval by the bootstrap over concept pairs:",
        "",
        *_markdown(_cells(findings, "low", "high")),
        "",
        "The same with Wilson's interval, which takes the queries as independent:",
        "",
        *_markdown(_cells(findings, "wilson_low", "wilson_high")),
        "",
        "`mini/prototype` is the reference: a nearest-prototype classifier on the frozen vision features.",
        "Published points in the figure are the paper's, on other data, and open-ended.",
        "",
        "The first episode under the middle condition; false labels are red, over the true name:",
        "",
        "![the images of an episode with the labels shown](episode.png)",
        "",
        "## Where this comes from",
        "",
        f"- command: `{provenance.command}`",
        f"- commit: {provenance.commit or 'unknown'}{' with uncommitted changes' if provenance.dirty else ''}",
        f"- {provenance.seconds:.0f} s on {provenance.device}, {provenance.cpu_count} cores, {provenance.platform}",
        f"- {', '.join(f'{name} {version}' for name, version in provenance.versions.items())}",
        "",
    ]
    (folder / "report.md").write_text("\n".join(lines), encoding="utf-8")


def _cells(findings: Findings, low: str, high: str) -> pd.DataFrame:
    """Text of each estimate: index (model, metric) in the order of the records, a column for each condition."""
    rows = findings.estimates
    text = [f"{e:.2f} [{lo:.2f}, {hi:.2f}]" for e, lo, hi in zip(rows["estimate"], rows[low], rows[high], strict=True)]
    return rows.assign(text=text).pivot(index=["model", "metric"], columns=findings.column, values="text")


def _two_lines(cell: str) -> str:
    """`0.95 [0.91, 0.98]` narrow enough for five conditions in 80 columns."""
    estimate, low, high = cell.replace("[", "").replace(",", "").rstrip("]").split()
    return f"{estimate}\n{low.removeprefix('0')}–{high.removeprefix('0')}"


def _markdown(cells: pd.DataFrame) -> list[str]:
    head = ["model", "metric", *(f"{column:g}" for column in cells.columns)]
    rows = [[*key, *row] for key, row in zip(cells.index, cells.to_numpy().tolist(), strict=True)]
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]
