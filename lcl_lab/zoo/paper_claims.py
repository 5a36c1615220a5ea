"""What the paper found about its strategies, and what ours show: reported with intervals, never trained for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from lcl_lab.analysis import cluster_bootstrap, paired_difference
from lcl_lab.zoo.table import METRICS

__all__ = ["findings"]

_DATA = "world-100"


def findings(episodes: pd.DataFrame, seed: int) -> list[str]:
    """One sentence a finding, each on `world-100`, from the episodes that `measure` returned for the whole zoo."""
    true = episodes[(episodes["data"] == _DATA) & (episodes["false_ratio"] == 0)]
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
    frame: pd.DataFrame, claim: str, a: Mapping[str, Any], b: Mapping[str, Any], seed: int, sign: int = 1
) -> Iterator[str]:
    """Whether b is above a, or below where `sign` is −1, on the queries that both answered."""
    for metric, column in METRICS.items():
        change = paired_difference(frame, column, a, b, np.random.default_rng([seed, 8]))
        low, high = sorted((sign * change.low, sign * change.high))
        word = "holds" if low > 0 else "does not hold" if high < 0 else "cannot tell"
        told = f"{change.accuracy_a:.3f} → {change.accuracy_b:.3f}, {change.estimate:+.3f}"
        yield f"{claim}, {metric}: {told} [{change.low:+.3f}, {change.high:+.3f}]: {word}"


def _base(rows: pd.DataFrame, shots: int, seed: int) -> str:
    correct = rows["correct_open"].to_numpy(dtype=np.float64)
    low, high = cluster_bootstrap(correct, rows["pair"].to_numpy(), np.random.default_rng([seed, 9]))
    return (
        f"base is near 0 on names that it has not seen, open-ended at {shots} shots: {correct.mean():.3f} "
        f"[{low:.3f}, {high:.3f}]: {'holds' if high < 0.1 else 'does not hold'}"
    )
