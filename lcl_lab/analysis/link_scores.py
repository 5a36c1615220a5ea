"""The link score: how far answers follow the labels in the support instead of prior knowledge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lcl_lab.analysis.paired import paired_difference

__all__ = ["LinkScore", "link_score"]


@dataclass(frozen=True)
class LinkScore:
    """A link score with its 95 % interval, all within 0 and 1.

    Attributes:
        estimate: 0 if false labels change nothing, 1 if every query is right with true labels and wrong with false.
        low: lower end of the interval.
        high: upper end of the interval.
        n: number of queries.
        clusters: number of concept pairs.
    """

    estimate: float
    low: float
    high: float
    n: int
    clusters: int


def link_score(
    frame: pd.DataFrame, rng: np.random.Generator, column: str = "correct_candidate", ratio: str = "false_ratio"
) -> LinkScore:
    """The link score of one model: max(0, A(0) − A(1)), A(r) being its accuracy with a share r of false labels.

    A model that follows the link must be right when all labels are true and wrong when all are false (Tai et al. 2024,
    section 1). A model that answers from prior knowledge or guesses is as accurate with either.

    Args:
        frame: records of one model, on the same queries at ratios 0 and 1.
        rng: draws the bootstrap.
        column: 0/1 outcomes.
        ratio: the column with the share of false labels.

    Returns:
        The score; its interval is that of `paired_difference`, cut to 0 and 1.

    Raises:
        UserError: no records at ratio 0 or at ratio 1, or records that cannot be paired.
    """
    change = paired_difference(frame, column, {ratio: 1.0}, {ratio: 0.0}, rng)
    estimate, low, high = (min(1.0, max(0.0, value)) for value in (change.estimate, change.low, change.high))
    return LinkScore(estimate, low, high, change.n, change.clusters)
