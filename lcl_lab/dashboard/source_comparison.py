"""Two models, or one model in two runs, on the same queries: paired differences by condition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lcl_lab import analysis, figures
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import Source
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section, Statement, Table, format_condition
from lcl_lab.store import FIXED

__all__ = ["compared_conditions", "comparison_findings", "paired_records"]

_SIGNIFICANT = 0.05
_SIDE = "run"  # a name that no condition column can have
_A, _B = {_SIDE: "a"}, {_SIDE: "b"}


def paired_records(a: Source, b: Source) -> pd.DataFrame:
    """The records of two sources, with a column `run` that is ``"a"`` or ``"b"``."""
    return pd.concat([load_records([a]).assign(**_A), load_records([b]).assign(**_B)], ignore_index=True)


def compared_conditions(records: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The conditions that the comparison distinguishes, by their names in it; null values are left out."""
    return {
        _name(condition): {column: value for column, value in condition.items() if pd.notna(value)}
        for condition, _ in _cells(records)
    }


def comparison_findings(records: pd.DataFrame, name_a: str, name_b: str) -> Findings:
    """Accuracy of B minus accuracy of A under each condition, for every metric that both sides have.

    Args:
        records: of `paired_records`.
        name_a: the model of side A.
        name_b: the model of side B.

    Returns:
        One section, whose table, panels and statements carry their metric. P-values are adjusted within a metric.

    Raises:
        UserError: no condition has answers of both sides, or their queries cannot be paired.
    """
    frames = [_differences(records, metric) for metric in analysis.MAIN_METRICS]
    frame = analysis.concat_estimates([rows for rows in frames if len(rows)])
    if frame.empty:
        raise UserError("there is no condition under which both have answers")
    title = f"B − A: {name_b} against {name_a}"
    figure = figures.dot_figure(
        frame.assign(comparison="B − A"),
        "condition",
        title,
        y_title="Difference in accuracy",
        group="comparison",
        group_title="Paired difference, with 95 % interval",
        domain=None,
        guide=0.0,
        width=max(420, 60 * frame["condition"].nunique()),
    )
    table = Table(
        "Wrong under A and right under B are gains; McNemar's exact test over concept pairs, adjusted by Holm",
        frame,
        estimand="difference",
        method=analysis.PAIRED,
        decimals=3,
        signed=True,
    )
    statements = [
        statement for metric, rows in frame.groupby("metric", sort=False) for statement in _say(str(metric), rows)
    ]
    return Findings(title, [Section(title, statements, figure, "compare", [table])])


def _differences(records: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per condition: accuracies of both sides, the difference with its interval, and its test."""
    column = analysis.METRICS[metric]
    rows = [
        {"metric": metric, "condition": _name(condition), **_difference(cell, column)}
        for condition, cell in _cells(records)
        if cell[_SIDE].nunique() == 2 and cell[column].notna().all()
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(holm=analysis.adjust(frame["p_value"].tolist())["holm"].to_numpy()) if rows else frame


def _cells(records: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """Each condition, as its values in the columns that have several, with its records."""
    columns = [column for column in records.columns if column not in (*FIXED, _SIDE)]
    varying = [column for column in columns if records[column].nunique(dropna=False) > 1]
    if not varying:
        yield {}, records
        return
    for key, cell in records.groupby(varying, dropna=False, sort=True):
        yield dict(zip(varying, key, strict=True)), cell


def _name(condition: Mapping[str, Any]) -> str:
    return format_condition(condition) or "all"


def _difference(cell: pd.DataFrame, column: str) -> dict[str, float]:
    difference = analysis.paired_difference(cell, column, _A, _B)
    return {
        "A": difference.accuracy_a,
        "B": difference.accuracy_b,
        "estimate": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "gains": difference.gains,
        "losses": difference.losses,
        "n": difference.n,
        "clusters": difference.clusters,
        "p_value": difference.p_value,
    }


def _estimate(row: pd.Series, metric: str) -> analysis.Estimate:
    """The difference under one condition as a typed estimate."""
    return analysis.Estimate.from_row(
        row,
        estimand="difference",
        metric=metric,
        method=analysis.PAIRED,
        p_value=float(row["p_value"]),
        signed=True,
    )


def _say(metric: str, rows: pd.DataFrame) -> Iterator[Statement]:
    significant = rows[rows["holm"] < _SIGNIFICANT]
    for side, better in (
        ("B", significant[significant["estimate"] > 0]),
        ("A", significant[significant["estimate"] < 0]),
    ):
        if len(better):
            values = {"side": side, "conditions": "; ".join(better["condition"])}
            yield Statement("{metric}: **{side} is better** under {conditions}.", values, metric)
    if significant.empty:
        template = (
            "{metric}: no difference remains significant after Holm's correction. The clearest, {difference} under "
            "{condition}, is inconclusive."
        )
        clearest = rows.iloc[int(rows["p_value"].argmin())]
        difference = _estimate(clearest, metric)
        yield Statement(
            template,
            {"difference": difference, "condition": clearest["condition"]},
            metric,
            verdict="inconclusive",
            undecided=analysis.detectable(difference, level=_SIGNIFICANT / len(rows)),
            methods=["Holm's correction"],
        )
    flips = int(rows["gains"].sum() + rows["losses"].sum())
    counts = {"flips": flips, "n": int(rows["n"].sum())}
    yield Statement("{metric}: {flips} of {n} answers flip.", counts, metric)
