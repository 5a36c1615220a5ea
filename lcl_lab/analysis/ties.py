"""Ties between two candidates: a model that prefers neither is right half of the time, as if it tossed a coin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["is_tie", "score_ties"]

_SIDES = "true", "other"


def is_tie(records: pd.DataFrame) -> pd.Series:
    """Whether both candidates have the same log-likelihood per token; False where log-likelihoods are missing.

    Args:
        records: N records with log-likelihoods and numbers of tokens.

    Returns:
        N booleans.
    """
    return _equal(*(_number(records, f"loglik_{side}") / _number(records, f"tokens_{side}") for side in _SIDES))


def score_ties(records: pd.DataFrame) -> pd.DataFrame:
    """Records whose candidate outcomes are one half where the candidates tie.

    Stored outcomes are true where the true name is strictly more likely, so that a classifier without any evidence
    would have an accuracy of 0 between two choices.

    Args:
        records: N records with log-likelihoods.

    Returns:
        The same rows, with numbers in ``correct_candidate`` and ``correct_candidate_raw``; the frame itself if there is
        no tie.
    """
    scored = {}
    total = _equal(*(_number(records, f"loglik_{side}") for side in _SIDES))
    for column, ties in (("correct_candidate", is_tie(records)), ("correct_candidate_raw", total)):
        if ties.any():
            scored[column] = records[column].astype(float).mask(ties, 0.5)
    return records.assign(**scored) if scored else records


def _number(records: pd.DataFrame, column: str) -> pd.Series:
    return records[column].astype(float)  # a column of nothing but None has no numbers


def _equal(true: pd.Series, other: pd.Series) -> pd.Series:
    return (true == other) & true.notna()
