"""The conclusions of findings as one table, before all numbers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lcl_lab.reporting.findings import Statement
from lcl_lab.reporting.text import format_detectable, format_estimate

__all__ = ["verdict_table"]


def verdict_table(statements: Sequence[Statement]) -> pd.DataFrame:
    """The statements that draw a conclusion about a model, one per row.

    Args:
        statements: of one section.

    Returns:
        The columns model, metric, verdict and "measured here": the estimate behind it, and of an open question also
        what would decide it.
    """
    rows = [
        (statement.model, statement.metric or "", statement.verdict, _measured(statement))
        for statement in statements
        if statement.verdict and statement.model
    ]
    return pd.DataFrame(rows, columns=["model", "metric", "verdict", "measured here"])


def _measured(statement: Statement) -> str:
    parts = [f"{estimate.estimand} {format_estimate(estimate)}" for estimate in statement.estimates[:1]]
    if statement.undecided:
        parts.append(format_detectable(statement.undecided))
    return "; ".join(parts)
