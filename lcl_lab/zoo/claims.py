"""What the paper found about its strategies, and what the shipped models show: reported, never trained for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lcl_lab import analysis, reporting
from lcl_lab.zoo.markdown_table import METRICS

if TYPE_CHECKING:
    from lcl_lab.reporting import Statement

__all__ = ["paper_claims"]

_DATA = "world-100"


def paper_claims(records: pd.DataFrame, seed: int) -> list[Statement]:
    """One statement per claim and metric, on `world-100`.

    Args:
        records: records of episodes of all shipped models, as `evaluate_zoo` returns them.
        seed: random seed of the intervals.
    """
    true = records[(records["data"] == _DATA) & (records["false_ratio"] == 0)]
    shots = sorted(true["shots"].unique())
    most, middle = shots[-1], shots[len(shots) // 2]
    return [
        *_compared(
            true,
            "2-way-random above 2-way at 2 shots (paper: 0.77 against 0.51)",
            {"model": "2-way", "shots": 2},
            {"model": "2-way-random", "shots": 2},
            seed,
        ),
        *_compared(
            true,
            f"2-way rises with shots, from 2 to {most}",
            {"model": "2-way", "shots": 2},
            {"model": "2-way", "shots": most},
            seed,
        ),
        *_compared(
            true,
            f"mix falls at {most} shots, against {middle} (paper: 0.83 at 6, 0.57 at 16)",
            {"model": "mix", "shots": middle},
            {"model": "mix", "shots": most},
            seed,
            sign=-1,
        ),
        _base(true[(true["model"] == "base") & (true["shots"] == most)], most, seed),
    ]


def _compared(
    records: pd.DataFrame, claim: str, a: Mapping[str, Any], b: Mapping[str, Any], seed: int, sign: int = 1
) -> Iterator[Statement]:
    """Whether b is above a, or below where `sign` is −1, on the queries that both answered."""
    for metric, column in METRICS.items():
        change = analysis.paired_difference(records, column, a, b, np.random.default_rng([seed, 8]))
        low, high = sorted((sign * change.low, sign * change.high))
        verdict = "holds" if low > 0 else "does not hold" if high < 0 else "inconclusive"
        comparison = analysis.Comparison.from_difference(change, metric=metric, a=a, b=b)
        template = "{claim}, {metric}: {change.value_a:.3f} → {change.value_b:.3f}, {change}: {verdict}"
        values = {"claim": claim, "change": comparison, "verdict": verdict}
        yield reporting.Statement(template, values, metric, verdict=verdict)


def _base(rows: pd.DataFrame, shots: int, seed: int) -> Statement:
    correct = rows["correct_open"].to_numpy(dtype=np.float64)
    low, high = analysis.cluster_bootstrap(correct, rows["pair"].to_numpy(), np.random.default_rng([seed, 9]))
    accuracy = analysis.Estimate(
        value=correct.mean(),
        low=low,
        high=high,
        n=len(rows),
        clusters=rows["pair"].nunique(),
        estimand="accuracy",
        metric="open-ended",
        model="base",
    )
    verdict = "holds" if high < 0.1 else "does not hold"
    template = "base is near 0 on names that it has not seen, open-ended at {shots} shots: {accuracy}: {verdict}"
    values = {"shots": shots, "accuracy": accuracy, "verdict": verdict}
    return reporting.Statement(template, values, "open-ended", verdict=verdict)
