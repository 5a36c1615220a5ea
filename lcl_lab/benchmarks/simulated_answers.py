"""Answers of simulated models, with known truths: concept pairs that differ in difficulty, curves, readers, trainings.

The answers to queries about one pair are correlated: by a beta-binomial distribution where only one accuracy is needed,
and otherwise by normal variables that pairs, queries and conditions share (a Gaussian copula).

Letters: N queries, C concept pairs, K positions, R trainings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

__all__ = [
    "CURVES",
    "DOSES",
    "READERS",
    "SHOT_CURVES",
    "accuracy_without_bias",
    "average_drops",
    "biased_log_odds",
    "calibration_error",
    "choice_probabilities",
    "crossing",
    "dose_answers",
    "nested_answers",
    "nested_variances",
    "pair_answers",
    "pair_changes",
    "pair_names",
    "pair_quantities",
    "pair_uniforms",
    "prompts_with_flips",
    "query_scores",
    "rejection_rates",
    "repeated_answers",
    "single_drops",
    "trained_answers",
    "trained_truth",
    "with_one_flip",
]

Floats = NDArray[np.float64]
Names = NDArray[np.intp]

_MEAN_SIZE = 8  # queries per pair
_SMALL_SIZE = 4
_POSITIONS = 8


def pair_names(rng: np.random.Generator, pairs: int, sizes: str) -> Names:
    """The pair of each query: 8 queries of each pair if `sizes` is ``"equal"``, else 2 to 14, or 24 in every fifth."""
    if sizes == "equal":
        return np.repeat(np.arange(pairs), _MEAN_SIZE)
    counts = rng.integers(2, 15, pairs)
    counts[::5] = 24
    return np.repeat(np.arange(pairs), counts)


def pair_answers(rng: np.random.Generator, names: Names, accuracy: float, correlation: float) -> Floats:
    """(N,) zeros and ones; the chances of pairs have a beta distribution that gives the correlation within pairs."""
    pairs = int(names.max()) + 1
    if correlation == 0 or accuracy in (0.0, 1.0):
        chances = np.full(pairs, accuracy)
    else:
        strength = 1 / correlation - 1
        chances = rng.beta(accuracy * strength, (1 - accuracy) * strength, pairs)
    return (rng.random(len(names)) < chances[names]).astype(float)


def pair_uniforms(rng: np.random.Generator, names: Names, correlation: float) -> Floats:
    """(N,) uniform numbers; with a probability of √correlation, each is that of its pair."""
    of_pair = rng.random(int(names.max()) + 1)[names]
    shared = rng.random(len(names)) < correlation**0.5
    return np.where(shared, of_pair, rng.random(len(names)))


def pair_quantities(rng: np.random.Generator, names: Names, quantities: int, correlation: float, shape: str) -> Floats:
    """(N, K) numbers with the mean 0, half of whose variance all quantities of a query share.

    Args:
        rng: draws them.
        names: (N,) the pair of each query.
        quantities: K.
        correlation: of two queries of a pair.
        shape: "normal", or "skewed" for gamma variates with a skewness of 1.
    """

    def draw(*size: int) -> Floats:
        return rng.normal(size=size) if shape == "normal" else (rng.gamma(4.0, size=size) - 4) / 2

    pairs = int(names.max()) + 1
    of_pair = (draw(pairs, 1) + draw(pairs, quantities))[names]
    own = draw(len(names), 1) + draw(len(names), quantities)
    return np.sqrt(correlation) * of_pair + np.sqrt(1 - correlation) * own


def pair_changes(rng: np.random.Generator, names: Names, gains: float, losses: float, correlation: float) -> Floats:
    """(N,) differences −1, 0 and 1 between two conditions; the chances of pairs have a Dirichlet distribution."""
    pairs = int(names.max()) + 1
    shares = np.array([gains, 1 - gains - losses, losses])
    chances = np.tile(shares, (pairs, 1))
    if correlation:
        present = shares > 0
        chances[:, present] = rng.dirichlet(shares[present] * (1 / correlation - 1), pairs)
    edges = chances.cumsum(axis=1)[names]
    draws = rng.random(len(names))
    return (draws < edges[:, 0]).astype(float) - (draws >= edges[:, 1])


DOSES = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
CURVES: dict[str, Floats] = {
    "logistic": expit(3 - 6 * DOSES),
    "late logistic": expit(4 - 6 * DOSES),
    "ends at .40": np.array([0.95, 0.9, 0.8, 0.6, 0.4]),
    "ends at .30": np.array([0.95, 0.9, 0.75, 0.5, 0.3]),
    "late fall": np.array([0.95, 0.94, 0.92, 0.8, 0.1]),
    "step": np.array([0.98, 0.98, 0.97, 0.02, 0.02]),
    "flat at one half": np.full(5, 0.5),
    "falls to one half": np.array([0.9, 0.8, 0.7, 0.6, 0.5]),
    "starts at one half": np.array([0.5, 0.4, 0.3, 0.2, 0.1]),
}
"""Accuracies at `DOSES`."""
SHOT_CURVES: dict[str, Floats] = {
    "rises and levels off": np.array([0.5, 0.7, 0.85, 0.9, 0.9, 0.9, 0.9, 0.9]),
    "rises and falls": np.array([0.5, 0.7, 0.9, 0.95, 0.9, 0.8, 0.6, 0.5]),
    "flat": np.full(8, 0.7),
    "hardly ever wrong": np.array([0.97, 0.98, 0.99, 0.99, 0.99, 0.99, 0.99, 0.99]),
}
"""Accuracies at 1, 2, 4, … shots."""


def crossing(curve: Floats) -> float:
    """The dose at which straight lines between the accuracies of a falling curve are at one half."""
    return float(np.interp(-0.5, -curve, DOSES))


def dose_answers(rng: np.random.Generator, names: Names, curve: Floats, correlation: float) -> Floats:
    """(N, K) zeros and ones at each of the K accuracies of a curve.

    The correlation is that of the normal variables of a pair. As much of their variance again is that of the query, so
    that answers at two doses are correlated, too.
    """
    pair = rng.standard_normal(int(names.max()) + 1)[names] * correlation**0.5
    query = rng.standard_normal(len(names)) * correlation**0.5
    answer = rng.standard_normal((len(names), len(curve))) * (1 - 2 * correlation) ** 0.5
    answers: Floats = (norm.cdf((pair + query)[:, None] + answer) < curve).astype(float)
    return answers


Reader = Callable[[NDArray[np.bool_]], Floats]
_INTERCEPT = 2.0
_UNEQUAL = -np.array([0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 1.0, 2.0])


def _majority(flips: NDArray[np.bool_]) -> Floats:
    """Right in 95 of 100 prompts if most labels are true, 5 of 100 if most are false."""
    false = 2 * flips.sum(axis=1)
    return np.where(false < flips.shape[1], 0.95, np.where(false == flips.shape[1], 0.5, 0.05))


READERS: dict[str, Reader] = {
    "additive": lambda flips: np.asarray(expit(_INTERCEPT + flips @ _UNEQUAL)),
    "additive, all positions equal": lambda flips: np.asarray(expit(_INTERCEPT - 0.6 * flips.sum(axis=1))),
    "majority vote": _majority,
    "majority of the last four": lambda flips: _majority(flips[:, -4:]),
    "ignores labels": lambda flips: np.full(len(flips), 0.8),
    "hardly ever wrong": lambda flips: np.asarray(expit(5 - 0.3 * flips.sum(axis=1))),
}
"""The accuracy of prompts from the (N, K) flips of their labels."""


def with_one_flip(rng: np.random.Generator, names: Names, reader: Reader, correlation: float) -> tuple[Floats, Floats]:
    """(N,) answers with all labels true and (N, K) answers with one false label at each position."""
    chances = reader(np.vstack([np.zeros(_POSITIONS, bool), np.eye(_POSITIONS, dtype=bool)]))
    answers = dose_answers(rng, names, chances, correlation)
    return answers[:, 0], answers[:, 1:]


def single_drops(reader: Reader) -> Floats:
    """(K,) the drops in accuracy caused by a single false label at each position."""
    return reader(np.zeros((1, _POSITIONS), bool)) - reader(np.eye(_POSITIONS, dtype=bool))


def prompts_with_flips(
    rng: np.random.Generator, names: Names, reader: Reader, share: float, correlation: float
) -> tuple[NDArray[np.bool_], Floats]:
    """(N, K) flips, each with the given probability, and (N,) answers."""
    flips = rng.random((len(names), _POSITIONS)) < share
    pair = rng.standard_normal(int(names.max()) + 1)[names] * correlation**0.5
    luck = pair + rng.standard_normal(len(names)) * (1 - correlation) ** 0.5
    return flips, (norm.cdf(luck) < reader(flips)).astype(float)


def average_drops(reader: Reader, share: float) -> Floats:
    """(K,) the drops of `prompts_with_flips`, averaged over the flips of the other labels: over all 2^K prompts."""
    flips = np.array(list(product([False, True], repeat=_POSITIONS)))
    weights = np.where(flips, share, 1 - share).prod(axis=1)
    accuracy = reader(flips)

    def mean(where: NDArray[np.bool_]) -> float:
        return float(np.average(accuracy[where], weights=weights[where]))

    return np.array([mean(~flips[:, k]) - mean(flips[:, k]) for k in range(_POSITIONS)])


_PAIR_DEVIATION, _BOTH_DEVIATION = 0.8, 0.5  # log-odds of a pair, and of a pair in one training


def trained_answers(
    rng: np.random.Generator, trainings: int, pairs: int, mean: float, deviation: float, difficulty: Floats
) -> Floats:
    """(R, 4·C) zeros and ones of trainings of one strategy; in log-odds, trainings, pairs and both together vary.

    Args:
        rng: draws the answers.
        trainings: R.
        pairs: C.
        mean: accuracy of a training and a pair of mean difficulty.
        deviation: standard deviation of the accuracy of a training, approximately; see `trained_truth`.
        difficulty: (C,) standard normal variables of the pairs.
    """
    seed = rng.normal(0, deviation / (mean * (1 - mean)), (trainings, 1))
    both = rng.normal(0, _BOTH_DEVIATION, (trainings, pairs))
    chances = expit(np.log(mean / (1 - mean)) + seed + _PAIR_DEVIATION * difficulty + both)
    answers = rng.random((trainings, pairs, _SMALL_SIZE)) < chances[..., None]
    return answers.reshape(trainings, -1).astype(float)


@cache
def trained_truth(mean: float, deviation: float) -> tuple[float, float]:
    """The mean accuracy of `trained_answers` over trainings and pairs, and the deviation between trainings."""
    points = norm.ppf((np.arange(2000) + 0.5) / 2000)
    seed = points[:, None] * deviation / (mean * (1 - mean))
    within = points * np.hypot(_PAIR_DEVIATION, _BOTH_DEVIATION)
    accuracies = expit(np.log(mean / (1 - mean)) + seed + within).mean(axis=1)
    return float(accuracies.mean()), float(accuracies.std())


_LOG_ODDS_SPREAD = 1.5  # of the more likely of two names


def choice_probabilities(
    rng: np.random.Generator, names: Names, slope: float, shift: float, correlation: float
) -> Floats:
    """(N,) the probability that a model gives the true name of two.

    The log-odds of the more likely name are half-normal; its accuracy has `slope` times those log-odds, less `shift`.
    Whether it is right is correlated within pairs, as normal variables are.
    """
    log_odds = np.abs(rng.normal(0, _LOG_ODDS_SPREAD, len(names)))
    pair = rng.standard_normal(int(names.max()) + 1)[names] * correlation**0.5
    luck = pair + rng.standard_normal(len(names)) * (1 - correlation) ** 0.5
    right = norm.cdf(luck) < np.clip(expit(slope * log_odds) - shift, 0, 1)
    probabilities: Floats = np.where(right, expit(log_odds), expit(-log_odds))
    return probabilities


def calibration_error(slope: float, shift: float) -> float:
    """The mean absolute difference between confidence and accuracy in `choice_probabilities`."""
    log_odds = _LOG_ODDS_SPREAD * norm.ppf(0.5 + (np.arange(4000) + 0.5) / 8000)
    return float(np.abs(expit(log_odds) - np.clip(expit(slope * log_odds) - shift, 0, 1)).mean())


_SIGNAL, _NOISE = 1.0, 1.0  # mean and deviation of the log-odds of the true name without a bias


def biased_log_odds(rng: np.random.Generator, names: Names, bias: float, correlation: float) -> tuple[Floats, Floats]:
    """(N,) log-odds of the name shown last, to which a bias is added; and 1 where that is the true name, else −1.

    The log-odds of the true name are normal, and correlated within pairs.
    """
    pair = rng.standard_normal(int(names.max()) + 1)[names] * correlation**0.5
    noise = pair + rng.standard_normal(len(names)) * (1 - correlation) ** 0.5
    is_last: Floats = rng.choice([-1.0, 1.0], len(names))
    return bias + is_last * (_SIGNAL + _NOISE * noise), is_last


def accuracy_without_bias(bias: float) -> float:
    """The accuracy of `biased_log_odds` at the threshold of batch calibration with very many pairs."""
    points = norm.ppf((np.arange(4000) + 0.5) / 4000) * _NOISE
    threshold = logit(expit(bias + np.concatenate([points + _SIGNAL, points - _SIGNAL])).mean())
    reached = (_SIGNAL + np.array([bias - threshold, threshold - bias])) / _NOISE
    return float(norm.cdf(reached).mean())


_DRAWS, _QUERIES = 3, 4


def nested_answers(rng: np.random.Generator, pairs: int, log_odds: float) -> Floats:
    """(C, 4, 3) zeros and ones to 4 queries of each pair with 3 supports each; pairs and queries vary in log-odds."""
    chances = expit(log_odds + rng.standard_normal((pairs, 1)) + rng.standard_normal((pairs, _QUERIES)))
    answers: Floats = (rng.random((pairs, _QUERIES, _DRAWS)) < chances[..., None]).astype(float)
    return answers


@cache
def nested_variances(log_odds: float) -> dict[str, float]:
    """The variance of `nested_answers` between pairs, between queries of a pair, and between supports of a query."""
    points = norm.ppf((np.arange(2000) + 0.5) / 2000)
    chances = expit(log_odds + points[:, None] + points)
    return {
        "concept pair": float(chances.mean(axis=1).var()),
        "query": float(chances.var(axis=1).mean()),
        "support draw": float((chances * (1 - chances)).mean()),
    }


def repeated_answers(rng: np.random.Generator, names: Names, log_odds: float) -> tuple[Floats, float]:
    """(N, 4) zeros and ones of each query under 4 orders, and their true deviation over orders.

    The chance of a correct answer differs between pairs and between queries; far from log-odds 0, answers rarely
    change.
    """
    pairs = int(names.max()) + 1
    chances = expit(log_odds + rng.standard_normal(pairs)[names] + rng.standard_normal(len(names)))
    points = expit(log_odds + 2**0.5 * norm.ppf((np.arange(20000) + 0.5) / 20000))
    answers = (rng.random((len(names), 4)) < chances[:, None]).astype(float)
    return answers, float((points * (1 - points)).mean()) ** 0.5


def query_scores(
    rng: np.random.Generator, names: Names, distance: float, correlation: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """(N,) normal scores, and whether each query's concept is in the support, with a probability of one half.

    Scores of such queries are larger by `distance`. The correlation is that of the normal variables of a pair.
    """
    known = rng.random(len(names)) < 0.5
    pair = rng.standard_normal(int(names.max()) + 1)[names] * correlation**0.5
    scores = distance * known + pair + rng.standard_normal(len(names)) * (1 - correlation) ** 0.5
    return scores, known


def rejection_rates(distance: float) -> tuple[float, float]:
    """The area under the ROC curve of `query_scores`, and the false-positive rate at a true-positive rate of 95 %."""
    return float(norm.cdf(distance / 2**0.5)), float(norm.sf(distance + norm.ppf(0.05)))
