"""The link score and the flip rate: how far answers follow the labels in the support instead of prior knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from lcl_lab.analysis.clusters import cluster_numbers, count_clusters
from lcl_lab.analysis.estimates import IntervalEstimate
from lcl_lab.analysis.intervals import cluster_bootstrap
from lcl_lab.analysis.paired import paired_difference, paired_values

__all__ = ["LinkScore", "LinkVerdict", "flip_rate", "link_score", "link_verdict"]

LinkVerdict = Literal["follows", "reverses", "reads labels only", "ignores", "at floor", "at chance", "inconclusive"]
"""What `link_verdict` concludes."""


class LinkScore(IntervalEstimate):
    """A link score or a flip rate with its 95 % interval, all within 0 and 1."""


def link_score(frame: pd.DataFrame, column: str = "correct_candidate", ratio: str = "false_ratio") -> LinkScore:
    """The link score of one model: max(0, A(0) − A(1)), A(r) being its accuracy with a share r of false labels.

    A model that follows the link must be right when all labels are true and wrong when all are false (Tai et al. 2024,
    section 1). It is 0 if false labels change nothing, and 1 if every query is right with true labels and wrong with
    false ones. It is also 0 for a model that reads the labels and not the images, such as one that repeats the last
    label: see `flip_rate`.

    Args:
        frame: records of one model, on the same queries at ratios 0 and 1.
        column: 0/1 outcomes.
        ratio: the column with the share of false labels.

    Returns:
        The score; its interval is that of `paired_difference`, cut to 0 and 1.

    Raises:
        UserError: no records at ratio 0 or at ratio 1, or records that cannot be paired.
    """
    change = paired_difference(frame, column, {ratio: 1.0}, {ratio: 0.0})
    estimate, low, high = (min(1.0, max(0.0, value)) for value in (change.estimate, change.low, change.high))
    return LinkScore(estimate, low, high, change.n, change.clusters)


def flip_rate(
    frame: pd.DataFrame, column: str, a: Mapping[str, object], b: Mapping[str, object], rng: np.random.Generator
) -> LinkScore:
    """The share of queries whose answer differs between two conditions, such as all labels true and all labels false.

    0 for a model that does not read the labels, and 1 for one that follows them, whether or not it looks at the images.

    Args:
        frame: records of one model, on the same queries under both conditions.
        column: the answer: a text, or with two choices whether it is correct.
        a: column values that select one condition, such as ``{"false_ratio": 0.0}``.
        b: column values that select the other condition.
        rng: draws the bootstrap.

    Returns:
        The rate; its interval is that of `cluster_bootstrap`.

    Raises:
        UserError: a condition has no records, or records cannot be paired.
    """
    read = frame[list(dict.fromkeys([column, "query_id", "pair", *a, *b]))]
    codes = read.assign(**{column: pd.factorize(frame[column])[0]})
    before, after, names = paired_values(codes, column, a, b)
    clusters = cluster_numbers(names)
    flips = (before != after).astype(np.float64)
    low, high = cluster_bootstrap(flips, clusters, rng)
    return LinkScore(float(flips.mean()), low, high, len(flips), count_clusters(clusters))


def link_verdict(
    intact: tuple[float, float],
    change: tuple[float, float],
    flips: tuple[float, float],
    margin: float,
    chance: float | None = None,
) -> LinkVerdict:
    """Conclude from intervals whether a model follows the labels.

    Args:
        intact: interval of the accuracy with all labels true.
        change: interval of the change in accuracy when all labels become false.
        flips: interval of the flip rate.
        margin: the largest change, flip rate or accuracy that counts as none.
        chance: the accuracy of guessing, where there are choices.

    Returns:
        ``"follows"``: accuracy falls by more than the margin. ``"reverses"``: it rises by more. ``"at floor"``:
        accuracy with true labels is below the margin, so that it cannot fall. ``"reads labels only"``: answers change
        with the labels, but accuracy does not. ``"ignores"``: neither changes by more than the margin.
        ``"at chance"``: accuracy with true labels may be that of guessing. Otherwise ``"inconclusive"``.
    """
    if change[1] < -margin:
        return "follows"
    if change[0] > margin:
        return "reverses"
    if intact[1] < margin:
        return "at floor"
    same = -margin < change[0] and change[1] < margin
    if same and flips[0] > margin:
        return "reads labels only"
    if same and flips[1] < margin:
        return "ignores"
    return "at chance" if chance is not None and intact[0] <= chance <= intact[1] else "inconclusive"
