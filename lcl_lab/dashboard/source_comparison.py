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

__all__ = ["comparison_findings", "condition_columns", "paired_records"]

_SIGNIFICANT = 0.05
_A, _B = {"side": "a"}, {"side": "b"}


def paired_records(a: Source, b: Source) -> pd.DataFrame:
    """The records of two sources, with a column `side` that is ``"a"`` or ``"b"``."""
    return pd.concat([load_records([a]).assign(side="a"), load_records([b]).assign(side="b")], ignore_index=True)


def condition_columns(records: pd.DataFrame) -> list[str]:
    """The condition columns with several values, among which the comparison distinguishes."""
    columns = [column for column in records.columns if column not in (*FIXED, "side")]
    return [column for column in columns if records[column].nunique(dropna=False) > 1]


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
        frame.drop(columns=condition_columns(records)),
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
    column, conditions = analysis.METRICS[metric], condition_columns(records)
    cells = records.groupby(conditions, dropna=False, sort=True) if conditions else [((), records)]
    rows = [
        _difference(cell, metric, dict(zip(conditions, key, strict=True)))
        for key, cell in cells
        if cell["side"].nunique() == 2 and cell[column].notna().all()
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(holm=analysis.adjust(frame["p_value"].tolist())["holm"].to_numpy()) if rows else frame


def _difference(cell: pd.DataFrame, metric: str, condition: Mapping[str, Any]) -> dict[str, Any]:
    difference = analysis.paired_difference(cell, analysis.METRICS[metric], _A, _B)
    return {
        "metric": metric,
        "condition": format_condition(condition) or "all",
        **condition,
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
