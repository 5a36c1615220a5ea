"""The choice between two candidates after calibration for what a model prefers whatever the query shows.

All three methods subtract from the log-odds of the true name those that the model has without the query's content. They
differ in where the latter come from: one image without content, the mean of several, or the other queries.

Letters: N records, C concept pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import log_expit, logsumexp

from lcl_lab.analysis.accuracies import require_columns
from lcl_lab.analysis.metrics import CALIBRATED_METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["calibrated_choices"]

_SIDES = ("true", "other")
_IMAGES = ("grey", "black", "white", "noise")
_TIE = 1e-9  # nats; smaller differences are rounding errors
_BALANCED = (1 / 3, 2 / 3)  # share of the queries whose true name was shown last


def calibrated_choices(records: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """Whether the calibrated choice between the two candidates is the true name.

    With L the log-odds of the true name, loglik_true − loglik_other, and L(x) those with image x as the query:

    - ``candidate-pmi``: L − L(grey) > 0, the pointwise mutual information of name and query (Holtzman et al. 2021).
    - ``candidate-contextual``: L − logit(mean of σ(L(x)) over a grey, a black, a white image and noise) > 0 (Zhao et
      al. 2021).
    - ``candidate-batch``: with M the log-odds per token of the name that the support shows last, M − logit(mean of σ(M)
      over the records of the other concept pairs) has the sign of the true name (Zhou et al. 2024). Names differ
      between pairs, so the classes are the two slots "shown last" and "not shown last". The pair of the query is left
      out, so that no answer moves its own threshold. The method takes either slot to be right equally often.

    Args:
        records: N records of runs that calibrate, with their supports.
        by: condition columns; records of one model that agree in them are a batch.

    Returns:
        The records with the columns of `CALIBRATED_METRICS`: 1 if right, 0 if wrong, 0.5 for a tie. Missing where a
        log-likelihood is missing; ``candidate-batch`` also without a support, where all records of a batch are of one
        pair, and where the true name was shown last for less than a third of a batch or more than two thirds.

    Raises:
        UserError: a column is missing.
    """
    sides = [f"loglik_{side}_{image}" for image in _IMAGES for side in _SIDES]
    require_columns(records, ["loglik_true", "loglik_other", "tokens_true", "tokens_other", *sides, "support", *by])
    odds = _difference(records, "")
    grey = _difference(records, "_grey")
    content_free = np.stack([_difference(records, f"_{image}") for image in _IMAGES])
    advantages = {
        "candidate-pmi": odds - grey,
        "candidate-contextual": odds - _log_odds_of_mean(content_free),
        "candidate-batch": _batch_advantage(records, by),
    }
    return records.assign(**{CALIBRATED_METRICS[metric]: _outcome(values) for metric, values in advantages.items()})


def _difference(records: pd.DataFrame, suffix: str) -> NDArray[np.float64]:
    """(N,) total log-likelihoods of the true name minus those of the other one."""
    true, other = (_numbers(records, f"loglik_{side}{suffix}") for side in _SIDES)
    return true - other


def _numbers(records: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return records[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _log_odds_of_mean(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log-odds of the mean probability over the first axis, without the rounding of probabilities near 0 and 1."""
    return np.asarray(logsumexp(log_expit(log_odds), axis=0) - logsumexp(log_expit(-log_odds), axis=0))


def _outcome(advantage: NDArray[np.float64]) -> NDArray[np.float64]:
    right = np.where(np.abs(advantage) < _TIE, 0.5, (advantage > 0).astype(float))
    return np.where(np.isnan(advantage), np.nan, right)


def _batch_advantage(records: pd.DataFrame, by: Sequence[str]) -> NDArray[np.float64]:
    """(N,) calibrated log-odds per token of the true name; NaN where there is no batch to calibrate with."""
    true, other = (_numbers(records, f"loglik_{side}") / _numbers(records, f"tokens_{side}") for side in _SIDES)
    sign = _true_name_is_last(records)
    log_odds_of_last = sign * (true - other)
    known = ~np.isnan(log_odds_of_last)
    advantage = np.full(len(records), np.nan)
    batches = records.reset_index(drop=True)[known].groupby(["model", *by], dropna=False, observed=True)
    for rows in batches.indices.values():
        batch = np.flatnonzero(known)[rows]
        if _BALANCED[0] <= float((sign[batch] > 0).mean()) <= _BALANCED[1]:
            pairs = records["pair"].to_numpy()[batch]
            thresholds = _thresholds(log_odds_of_last[batch], pairs)
            advantage[batch] = sign[batch] * (log_odds_of_last[batch] - thresholds)
    return advantage


def _true_name_is_last(records: pd.DataFrame) -> NDArray[np.float64]:
    """(N,) 1 if the support shows the true name last, −1 if the other one, NaN if neither."""
    last = [shown[-1]["label"] if shown is not None and len(shown) else None for shown in records["support"]]
    labels = pd.Series(last, index=records.index, dtype=object)
    is_true, is_other = labels == records["true_name"], labels == records["other_name"]
    return np.select([is_true, is_other], [1.0, -1.0], np.nan)


def _thresholds(log_odds: NDArray[np.float64], pairs: NDArray[np.object_]) -> NDArray[np.float64]:
    """(N,) the log-odds of the mean probability over all other pairs; NaN if there is no other pair."""
    names, pair_of = np.unique(pairs.astype(str), return_inverse=True)
    if len(names) < 2:
        return np.full(len(log_odds), np.nan)
    return np.array([_log_odds_of_mean(log_odds[pair_of != pair]) for pair in range(len(names))])[pair_of]
