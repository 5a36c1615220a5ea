"""The table of the shipped models in Markdown, and its place in the documentation."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lcl_lab import analysis, reporting
from lcl_lab.atomic import write_text
from lcl_lab.errors import UserError

__all__ = ["accuracies", "check_marks", "model_table", "write_between"]

BEGIN, END = "<!-- model table: python -m lcl_lab.zoo table -->", "<!-- end of model table -->"


def accuracies(records: pd.DataFrame, questions: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Accuracy and 95 % interval over concept pairs for every model, condition and metric.

    Args:
        records: records of episodes, as `evaluate_zoo` returns them.
        questions: records of mini-VQA, which becomes one more dataset.
        seed: random seed of the intervals.
    """
    metrics = {metric: analysis.METRICS[metric] for metric in analysis.MAIN_METRICS}
    linked = analysis.accuracy(records, ["model", "data", "shots", "false_ratio"], seed, metrics)
    exact = analysis.accuracy(questions, ["model"], seed, {"exact": "correct_open"})
    return pd.concat([linked, exact.assign(data="mini-vqa", shots=0, false_ratio=0.0)], ignore_index=True)


def model_table(estimates: pd.DataFrame, names: Sequence[str]) -> str:
    """One block per dataset, with accuracy over shots and with all labels false for both metrics, and mini-VQA."""
    is_exact = estimates["metric"] == "exact"
    blocks = [_block(estimates, data, names) for data in estimates["data"][~is_exact].unique()]
    for data in estimates["data"][is_exact].unique():
        cells = {row["model"]: row for row in estimates.to_dict(orient="records") if row["data"] == data}
        title = "mini-VQA" if data == "mini-vqa" else data
        lines = [f"| model | {title} |", "| --- | --- |"]
        blocks.append("\n".join(lines + [f"| {name} | {_cell(cells[name])} |" for name in names if name in cells]))
    return "\n\n".join(blocks)


def _block(estimates: pd.DataFrame, data: str, names: Sequence[str]) -> str:
    rows = estimates[estimates["data"] == data]
    keys = ["model", "metric", "shots", "false_ratio"]
    cells = {tuple(row[key] for key in keys): _cell(row) for row in rows.to_dict(orient="records")}
    conditions = sorted({(ratio, shots) for _, _, shots, ratio in cells})
    heads = [f"{shots} shots" if ratio == 0 else f"{shots} shots, all labels false" for ratio, shots in conditions]
    lines = [f"| {data} | metric | " + " | ".join(heads) + " |", "| --- | --- |" + " --- |" * len(heads)]
    for name in names:
        for metric in analysis.MAIN_METRICS:
            shown = [cells.get((name, metric, shots, ratio), "") for ratio, shots in conditions]
            if any(shown):
                lines.append(f"| {name} | {metric} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _cell(row: Mapping[Hashable, Any]) -> str:
    return reporting.format_interval(row["estimate"], row["low"], row["high"], decimals=2)


def check_marks(path: Path) -> str:
    """The text of a file that has a place for the table.

    Raises:
        UserError: the file or its marks are missing.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(str(error.strerror), option="page", value=path) from error
    if BEGIN not in content or END not in content:
        raise UserError(f"has no lines {BEGIN!r} and {END!r}", option="page", value=path)
    return content


def write_between(path: Path, text: str) -> None:
    """Put a table between its marks in a file; raises as `check_marks`."""
    before, rest = check_marks(path).split(BEGIN, 1)
    write_text(path, f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")
