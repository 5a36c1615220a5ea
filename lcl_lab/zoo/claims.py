"""What the paper found about its strategies, and what the shipped models show: reported, never trained for.

There is one training of each strategy, so the checkpoints are compared and no verdict on a strategy is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lcl_lab import analysis, reporting
from lcl_lab.reporting import ONE_TRAINING, ONE_TRAINING_EACH

if TYPE_CHECKING:
    from lcl_lab.reporting import Statement, Verdict

__all__ = ["paper_claims"]

_DATA = "world-100"


def paper_claims(records: pd.DataFrame, seed: int, floor_margin: float = 0.1) -> list[Statement]:
    """One statement per claim and metric, on `world-100`.

    Args:
        records: records of episodes of all shipped models, as `evaluate_zoo` returns them.
        seed: random seed of the intervals.
        floor_margin: accuracy below which a model names nothing.
    """
    true = records[(records["data"] == _DATA) & (records["false_ratio"] == 0)]
    shots = sorted(true["shots"].unique())
    most, middle = shots[-1], shots[len(shots) // 2]
    return [
        *_compared(
            true,
            "mini/2-way-random above mini/2-way at 2 shots (paper: 0.77 against 0.51)",
            {"model": "2-way", "shots": 2},
            {"model": "2-way-random", "shots": 2},
            ONE_TRAINING_EACH,
        ),
        *_compared(
            true,
            f"mini/2-way rises with shots, from 2 to {most}",
            {"model": "2-way", "shots": 2},
            {"model": "2-way", "shots": most},
            ONE_TRAINING,
        ),
        *_compared(
            true,
            f"mini/mix falls at {most} shots, against {middle} (paper: 0.83 at 6, 0.57 at 16)",
            {"model": "mix", "shots": middle},
            {"model": "mix", "shots": most},
            ONE_TRAINING,
        ),
        _base(true[(true["model"] == "base") & (true["shots"] == most)], most, seed, floor_margin),
    ]


def _compared(
    records: pd.DataFrame, claim: str, a: Mapping[str, Any], b: Mapping[str, Any], verdict: Verdict
) -> Iterator[Statement]:
    """The change from a to b on the queries that both answered, and the verdict on their strategies."""
    for metric in analysis.MAIN_METRICS:
        change = analysis.paired_difference(records, analysis.METRICS[metric], a, b)
        comparison = analysis.Comparison.from_difference(change, metric=metric, a=a, b=b)
        template = "{claim}, {metric}: {change.value_a:.3f} → {change.value_b:.3f}, {change}: {verdict}"
        values = {"claim": claim, "change": comparison, "verdict": verdict}
        yield reporting.Statement(template, values, metric, verdict=verdict, undecided=analysis.SEVERAL_TRAININGS)


def _base(rows: pd.DataFrame, shots: int, seed: int, floor: float) -> Statement:
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
        method="cluster bootstrap over concept pairs",
    )
    verdict = "holds" if high < floor else "does not hold" if low > floor else "inconclusive"
    template = (
        "mini/base is near 0 (below {floor}) on names that it has not seen, open-ended at {shots} shots: "
        "{accuracy}: {verdict}"
    )
    values = {"floor": floor, "shots": shots, "accuracy": accuracy, "verdict": verdict}
    undecided = analysis.detectable(accuracy, [floor]) if verdict == "inconclusive" else None
    return reporting.Statement(template, values, "open-ended", verdict=verdict, undecided=undecided)
