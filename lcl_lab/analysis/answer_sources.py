"""What an answer depends on: rates of answers that move with the labels, agreement with prior knowledge, and copying.

An answer is the choice of the true name, of the other name, or of neither.

Letters: N queries, P predictors, C clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.clusters import cluster_numbers, count_clusters
from lcl_lab.analysis.estimates import IntervalEstimate
from lcl_lab.analysis.firth_logistic import penalised_logistic
from lcl_lab.analysis.intervals import cluster_bootstrap
from lcl_lab.errors import UserError

__all__ = ["RATES", "Choice", "answer_choices", "answer_rates", "copying", "prior_agreement"]

_NEARLY_ONE = 0.999
Choice = Literal["true", "other", "neither"]
_CHOICES = get_args(Choice)
RATES = ("link", "stubborn", "label-only", "inert-wrong", "unsettled")
"""The names of the rates, which sum to 1."""


def answer_choices(rows: pd.DataFrame, says: Callable[[str, str, str], bool] | None = None) -> pd.Series:
    """What each answer chose.

    Args:
        rows: N records of one model under one condition.
        says: whether a text says a first name and not a second one; None compares the log-likelihoods per token.

    Returns:
        (N,) choices by query id, in ascending order; see `Choice`.
    """
    if says is None:
        difference = rows["loglik_true"] / rows["tokens_true"] - rows["loglik_other"] / rows["tokens_other"]
        sides = [(difference > 0).to_numpy(), (difference < 0).to_numpy()]
    else:
        right = rows["correct_open"].astype(bool).to_numpy()
        says_other = np.zeros(len(rows), dtype=bool)
        says_other[~right] = _says_other(rows[~right], says)
        sides = [right, says_other]
    choices = np.array(_CHOICES, dtype=object)[np.select(sides, [0, 1], 2)]
    return pd.Series(choices, index=rows["query_id"].to_numpy()).sort_index()


def _says_other(rows: pd.DataFrame, says: Callable[[str, str, str], bool]) -> NDArray[np.bool_]:
    """(N,) whether each answer says the other name; equal answers about equal names are graded once."""
    texts = ["answer", "other_name", "true_name"]
    groups = rows[texts].groupby(texts, sort=False, dropna=False)
    different = groups.head(1)
    graded = np.array(list(map(says, *(different[name] for name in texts))), dtype=bool)
    return graded[groups.ngroup().to_numpy()]


def answer_rates(
    intact: ArrayLike, flipped: ArrayLike, clusters: ArrayLike, rng: np.random.Generator
) -> dict[str, IntervalEstimate]:
    """How answers move when all labels of the support are exchanged.

    With a the answer to the intact prompt and b that to the flipped one: *link*, a is true and b the other name;
    *stubborn*, both are true; *label-only*, a is not true and b is another answer than a; *inert-wrong*, both are the
    same and not true; *unsettled*, a is true and b neither name. The rates sum to 1. If there are two answers only,
    accuracy falls by link − label-only when labels are flipped.

    Args:
        intact: (N,) answers with true labels, each a `Choice`.
        flipped: (N,) answers to the same queries with false labels.
        clusters: (N,) the cluster of each query.
        rng: draws the bootstrap of the intervals, which are those of `cluster_bootstrap`.

    Returns:
        The rates by the names in `RATES`.
    """
    a, b = (np.asarray(values) for values in (intact, flipped))
    names = cluster_numbers(clusters)
    right = a == "true"
    kinds = {
        "link": right & (b == "other"),
        "stubborn": right & (b == "true"),
        "label-only": ~right & (b != a),
        "inert-wrong": ~right & (b == a),
        "unsettled": right & (b == "neither"),
    }
    return {kind: _share(rows.astype(float), names, rng) for kind, rows in kinds.items()}


def prior_agreement(
    with_support: ArrayLike, without: ArrayLike, clusters: ArrayLike, rng: np.random.Generator
) -> IntervalEstimate:
    """Cohen's κ between the answers with a support and those without one (Cohen 1960).

    κ = (p − e) / (1 − e), where p is the share of equal answers and e the share that equal answers would have if both
    were independent. 0 is chance, 1 the same answers. The interval has the outer ends of two: Student's on the
    jackknife over clusters (Arvesen 1969) of artanh κ, and that of p by `cluster_bootstrap` with e as it is, which has
    a width even if all answers are equal.

    Args:
        with_support: (N,) answers, each a `Choice`.
        without: (N,) answers to the same queries.
        clusters: (N,) the cluster of each query.
        rng: draws the bootstrap.

    Raises:
        UserError: all answers of one side are the same, so that there is no agreement beyond chance, or there is a
            single cluster.
    """
    a, b = (np.asarray(values) for values in (with_support, without))
    groups = cluster_numbers(clusters)
    counts = np.zeros((count_clusters(groups), len(_CHOICES), len(_CHOICES)))
    np.add.at(counts, (groups, *(np.select([side == kind for kind in _CHOICES], range(3)) for side in (a, b))), 1)
    kappa = _kappa(counts.sum(axis=0))
    if np.isnan(kappa):
        raise UserError("all answers of one side are the same, so agreement beyond chance is undefined")
    left_out = [_kappa(counts.sum(axis=0) - of_cluster) for of_cluster in counts]
    jackknifed = np.tanh(_jackknife(_artanh(kappa), _artanh(left_out)))
    expected = _expected_agreement(counts.sum(axis=0))
    shares = np.array(cluster_bootstrap((a == b).astype(float), groups, rng))
    ends = [*jackknifed, *((shares - expected) / (1 - expected))]
    return IntervalEstimate(kappa, max(-1.0, min(ends)), min(1.0, max(ends)), len(a), len(counts))


def copying(
    choices: ArrayLike, predictors: Mapping[str, ArrayLike], clusters: ArrayLike
) -> dict[str, IntervalEstimate]:
    """What the choice between two names follows: a logistic regression on what simple rules would choose.

    log-odds(true) = β₀ + Σ β_r x_r, where x_r is +1 if rule r chooses the true name, −1 if it chooses the other one,
    and 0 if it chooses none. β₀, under the name ``"prior"``, is a preference for the true name that no rule explains.
    The likelihood is penalised by Jeffreys' prior (Firth 1993), so that the coefficients are finite for a model that
    follows a rule without exception. The intervals are Student's on the jackknife over clusters.

    Args:
        choices: (N,) answers, each a `Choice`; queries with neither name are left out.
        predictors: for each rule its (N,) choices.
        clusters: (N,) the cluster of each query.

    Returns:
        The coefficients in log-odds, by the names of the rules and ``"prior"``.

    Raises:
        UserError: there are fewer than two clusters or too few answers.
    """
    answers, names = np.asarray(choices), cluster_numbers(clusters)
    names_one = answers != "neither"
    columns = [_signs(values)[names_one] for values in predictors.values()]
    design = np.column_stack([np.ones(int(names_one.sum())), *columns])
    correct, groups = (answers[names_one] == "true").astype(float), names[names_one]
    count = len(np.unique(groups))
    if count < 2 or len(correct) <= design.shape[1]:
        raise UserError(f"{len(correct)} answers of {count} clusters are too few for a regression")
    # Most answers have the same predictors and outcome as others.
    kinds, kind_of = np.unique(np.column_stack([design, correct]), axis=0, return_inverse=True)
    counts = np.zeros((count_clusters(names), len(kinds)))
    np.add.at(counts, (groups, kind_of), 1)
    times = counts.sum(axis=0)
    values = penalised_logistic(kinds[:, :-1], kinds[:, -1], times)
    left_out = penalised_logistic(kinds[:, :-1], kinds[:, -1], times - counts[np.unique(groups)])
    intervals = [_jackknife(value, left_out[:, k]) for k, value in enumerate(values)]
    return {
        name: IntervalEstimate(float(value), low, high, len(correct), count)
        for name, value, (low, high) in zip(["prior", *predictors], values, intervals, strict=True)
    }


def _share(values: NDArray[np.float64], clusters: NDArray[np.intp], rng: np.random.Generator) -> IntervalEstimate:
    low, high = cluster_bootstrap(values, clusters, rng)
    return IntervalEstimate(float(values.mean()), low, high, len(values), count_clusters(clusters))


def _signs(choices: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(choices)
    return (values == "true").astype(float) - (values == "other")


def _kappa(counts: NDArray[np.float64]) -> float:
    """Cohen's κ of (3, 3) numbers of queries by the choices of both sides."""
    expected = _expected_agreement(counts)
    is_constant = any(np.count_nonzero(counts.sum(axis=side)) == 1 for side in (0, 1))
    return float("nan") if is_constant else (float(np.trace(counts) / counts.sum()) - expected) / (1 - expected)


def _expected_agreement(counts: NDArray[np.float64]) -> float:
    """The share of equal answers if both sides were independent."""
    a, b = (counts.sum(axis=side) / counts.sum() for side in (1, 0))
    return sum(float(of_a) * float(of_b) for of_a, of_b in zip(a, b, strict=True))


def _artanh(kappa: ArrayLike) -> NDArray[np.float64]:
    """Fisher's transformation, with κ names_one from −1 and 1, where it is infinite."""
    return np.arctanh(np.clip(np.asarray(kappa, float), -_NEARLY_ONE, _NEARLY_ONE))


def _jackknife(value: float | NDArray[np.float64], left_out: ArrayLike) -> tuple[float, float]:
    """Student's interval from the values that each leave out one of C clusters."""
    values = np.asarray(left_out, float)
    values = values[np.isfinite(values)]
    count = len(values)
    if count < 2:
        raise UserError("a single cluster does not show the variance between clusters")
    deviation = float(np.sqrt((count - 1) / count * ((values - values.mean()) ** 2).sum()))
    reach = float(stats.t.ppf(0.975, count - 1)) * deviation
    return float(value - reach), float(value + reach)
