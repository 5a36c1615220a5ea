"""The link score: how far answers follow the labels that are shown, rather than the usual ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lcl_lab.analysis.paired import paired_difference

__all__ = ["LinkScore", "link_score"]


@dataclass(frozen=True)
class LinkScore:
    """0: labels that are all false change nothing; 1: every query goes from right to wrong with them."""

    estimate: float
    low: float
    high: float
    n: int  # queries
    clusters: int


def link_score(
    frame: pd.DataFrame, rng: np.random.Generator, column: str = "correct_candidate", ratio: str = "false_ratio"
) -> LinkScore:
    """max(0, A(0) − A(1)), A(r) being the accuracy of one model where a share r of the labels is false.

    A model that follows the link must be right where all labels are true and wrong where all are false (paper
    section 1); one that answers from what it knows, or guesses, is as right as before. The interval is that of the
    paired difference, cut to [0, 1].

    Raises:
        UserError: no records at ratio 0 or at 1.
    """
    change = paired_difference(frame, column, {ratio: 1.0}, {ratio: 0.0}, rng)
    estimate, low, high = (min(1.0, max(0.0, value)) for value in (change.estimate, change.low, change.high))
    return LinkScore(estimate, low, high, change.n, change.clusters)
