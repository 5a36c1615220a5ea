"""The section of a report that compares accuracies with the nearest-prototype classifier on the same queries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lcl_lab import analysis, models, reporting
from lcl_lab.errors import UserError
from lcl_lab.studies import comparisons

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.analysis import CeilingShare
    from lcl_lab.reporting import Section

__all__ = ["ceiling_section"]

_METHOD = "ratio of two correlated accuracies above chance by MOVER, Wilson's intervals on effective sizes"
_CHANCE = 0.5  # of two candidates
_COLUMN = analysis.METRICS["candidate"]


def ceiling_section(records: pd.DataFrame, evaluated: Sequence[str], across: str) -> Section | None:
    """How much of the way from chance to the accuracy of the nearest-prototype classifier each model goes.

    Only for the metric `candidate`, under which guessing is right half of the time.

    Args:
        records: the records of the study.
        evaluated: the models to report.
        across: the column of conditions.

    Returns:
        The section; None without records of the classifier or of a model with candidates.
    """
    query = comparisons.query_columns(records)
    records = records[["model", *query, across, "pair", _COLUMN]]
    ceiling = analysis.rows_of(records, {"model": models.PROTOTYPE})
    known = [model for model, rows in comparisons.per_model(records, evaluated) if rows[_COLUMN].notna().all()]
    known = [model for model in known if model != models.PROTOTYPE]
    if ceiling.empty or not known:
        return None
    rows, refused = [], dict[str, None]()
    best = {
        value: _by_query(analysis.rows_of(ceiling, {across: value}), query)[_COLUMN].astype(float)
        for value in sorted(ceiling[across].dropna().unique().tolist())
    }
    for model, of_model in comparisons.per_model(records, known):
        for value, of_ceiling in best.items():
            answers = analysis.rows_of(of_model, {across: value})
            if answers.empty:
                continue
            try:
                share = _share(_by_query(answers, query), of_ceiling)
            except UserError:
                refused[reporting.format_value(value)] = None
                continue
            rows.append(
                {
                    "model": model,
                    "metric": "candidate",
                    across: value,
                    "estimate": share.estimate,
                    "low": share.low,
                    "high": share.high,
                    "n": share.n,
                    "clusters": share.clusters,
                }
            )
    if not rows:
        return None
    caption = f"Share of the way from chance to the accuracy of {models.PROTOTYPE}, by {across.replace('_', ' ')}"
    table = reporting.Table.from_rows(
        caption, rows, across=across, estimand="share of the way to the prototype ceiling", method=_METHOD
    )
    template = "Not shown at {across} {values}: the nearest-prototype classifier may be at or below chance there."
    values = {"across": across.replace("_", " "), "values": ", ".join(refused)}
    statements = [reporting.Statement(template, values, "candidate")] if refused else []
    return reporting.Section("Distance to the prototype ceiling", statements, name="ceiling", tables=[table])


def _by_query(rows: pd.DataFrame, query: list[str]) -> pd.DataFrame:
    """Records of one condition by their query."""
    indexed = rows.set_index(query)
    if not indexed.index.is_unique:
        raise ValueError("a model has several records of one query under one condition")
    return indexed


def _share(answers: pd.DataFrame, ceiling: pd.Series) -> CeilingShare:
    """The share on the queries that both answered; both are indexed by queries.

    Raises:
        UserError: the ceiling may be at chance, or no query is shared.
    """
    both = answers.index.intersection(ceiling.index, sort=False)
    shared = answers.loc[both]
    return analysis.ceiling_share(shared[_COLUMN].astype(float), ceiling.loc[both], shared["pair"], _CHANCE)
