"""Ties between candidates: a model that prefers none of m is right one time in m, as if it drew one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["has_several_names", "is_tie", "score_ties", "tied_candidates"]


def has_several_names(records: pd.DataFrame) -> bool:
    """Whether any query has more than two candidates."""
    return "other_names" in records and bool(records["other_names"].notna().any())


def is_tie(records: pd.DataFrame) -> pd.Series:
    """Whether the true name shares the highest log-likelihood per token with another candidate.

    Args:
        records: N records with log-likelihoods and numbers of tokens.

    Returns:
        N booleans; False where log-likelihoods are missing.
    """
    return tied_candidates(records) > 1


def tied_candidates(records: pd.DataFrame, *, per_token: bool = True) -> pd.Series:
    """The number m of candidates that share the highest log-likelihood with the true name.

    Args:
        records: N records with log-likelihoods and, if means are compared, numbers of tokens.
        per_token: compare means per token, else totals.

    Returns:
        N numbers: 1 where the true name alone is the most likely one, 0 where another name is more likely or
        log-likelihoods are missing.
    """
    true, other = (_number(records, f"loglik_{side}") for side in ("true", "other"))
    if per_token:
        true, other = true / _number(records, "tokens_true"), other / _number(records, "tokens_other")
    counts = (true >= other).astype(int) + (true == other)
    has_several = records["loglik_others"].notna() if "loglik_others" in records else counts.isna()
    if has_several.any():
        rows = records[has_several]
        tokens = rows["tokens_others"] if per_token else None
        counts.loc[has_several] = _tied(true[has_several].to_numpy(), rows["loglik_others"], tokens)
    return counts


def _tied(true: NDArray[np.float64], logliks: pd.Series, tokens: pd.Series | None) -> NDArray[np.intp]:
    """(N,) numbers of `tied_candidates` for N lists of log-likelihoods of other names, and of their tokens."""
    record = np.repeat(np.arange(len(true)), [len(of_record) for of_record in logliks])
    others = np.concatenate(logliks.tolist()).astype(float)
    if tokens is not None:
        others = others / np.concatenate(tokens.tolist()).astype(float)
    beaten = np.bincount(record[others > true[record]], minlength=len(true)) > 0
    return np.where(beaten, 0, 1 + np.bincount(record[others == true[record]], minlength=len(true)))


def score_ties(records: pd.DataFrame) -> pd.DataFrame:
    """Records whose candidate outcomes are 1/m where m candidates tie.

    Stored outcomes are true where the true name is strictly more likely than all others, so that a classifier without
    any evidence would have an accuracy of 0 between two choices.

    Args:
        records: N records with log-likelihoods.

    Returns:
        The same rows, with numbers in ``correct_candidate`` and ``correct_candidate_raw``; the frame itself if there is
        no tie.
    """
    scored = {}
    for column, per_token in (("correct_candidate", True), ("correct_candidate_raw", False)):
        counts = tied_candidates(records, per_token=per_token)
        ties = counts > 1
        if ties.any():
            scored[column] = records[column].astype(float).mask(ties, 1 / counts.clip(lower=1))
    return records.assign(**scored) if scored else records


def _number(records: pd.DataFrame, column: str) -> pd.Series:
    return records[column].astype(float)  # a column of nothing but None has no numbers
