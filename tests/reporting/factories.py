"""Findings with two metrics, for tests of reporting."""

from __future__ import annotations

from functools import cache

import pandas as pd

from lcl_lab.analysis import Comparison, Estimate
from lcl_lab.figures import dot_figure
from lcl_lab.reporting import Findings, Section, Statement, Table, assess


def estimate(metric: str | None, value: float = 0.5, **options: object) -> Estimate:
    fields = {"low": value - 0.1, "high": value + 0.1, "n": 100, "clusters": 50, "estimand": "accuracy", **options}
    return Estimate(value=value, metric=metric, **fields)  # type: ignore[arg-type]


def comparison(metric: str) -> Comparison:
    return Comparison(
        value=-0.25, low=-0.35, high=-0.15, n=100, clusters=50, estimand="change in accuracy", metric=metric,
        a={"k": 0}, b={"k": 1}, value_a=0.75, value_b=0.5, p_value=0.0004,
    )  # fmt: skip


@cache
def findings() -> Findings:
    """One section with sentences, panels, table rows and a claim of each metric, and a sentence of none."""
    rows = [
        {
            "model": "m",
            "metric": metric,
            "k": k,
            "estimate": 0.5 + k / 10,
            "low": 0.4,
            "high": 0.7,
            "n": 9,
            "clusters": 3,
        }
        for metric in ("candidate", "open-ended")
        for k in (0, 1)
    ]
    frame = pd.DataFrame(rows)
    statements = [
        Statement("{model}, {metric}: {change}, {change:p}.", {"change": comparison(metric)}, metric, "m", "falls")
        for metric in ("candidate", "open-ended")
    ]
    section = Section(
        "Accuracy",
        [*statements, Statement("Nine queries.")],
        dot_figure(frame, "k", "Accuracy", panel="metric"),
        tables=[Table("Accuracy", frame, across="k", estimand="accuracy", method="bootstrap")],
    )
    claims = [
        assess("Table 2", "it is high", "m", estimate(metric), above=0.3) for metric in ("candidate", "open-ended")
    ]
    return Findings("Title", [section], claims)
