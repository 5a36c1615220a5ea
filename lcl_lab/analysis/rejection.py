"""How well a score tells queries whose concept is in the support from those whose concept is not.

Queries of concepts in the support are *known*, the others *unknown*; a larger score speaks for a known one. Queries are
accepted, and named, if their score reaches a threshold, and rejected otherwise.

Letters: N queries, C clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from lcl_lab.analysis.clusters import cluster_numbers
from lcl_lab.analysis.estimates import IntervalEstimate
from lcl_lab.analysis.intervals import cluster_bootstrap, effective_size, wilson
from lcl_lab.errors import UserError

__all__ = ["SCORES", "TPR", "accepted_accuracy", "answer_scores", "auroc", "fpr_at_tpr", "tpr_threshold"]

TPR = 0.95
"""The share of known queries that a threshold accepts."""
SCORES: Mapping[str, str] = {
    "highest": "the largest log-likelihood per token of the names in the support",
    "margin": "the largest minus the second largest",
    "none": "the largest minus that of the candidate which says that none of them is right",
}
"""Scores of a query, by which it is accepted or rejected."""
_FEW = 3.0  # effective errors or successes, of which the variance says little
_Z = float(stats.norm.ppf(0.975))


def answer_scores(records: pd.DataFrame, none: str) -> pd.DataFrame:
    """The scores of queries with a candidate that says that no name in the support is right.

    Args:
        records: N records with log-likelihoods, two or more names and that candidate.
        none: the candidate.

    Returns:
        N rows with the index of the records: a column per score of `SCORES`; ``known``, whether the concept is in the
        support; ``correct``, 1/m if the true name is one of the m most likely names, else 0; and ``accepted``, whether
        a name is more likely than the candidate.
    """
    columns = ("true_name", "other_names", "loglik_true", "loglik_others", "tokens_true", "tokens_others")
    sizes = records["other_names"].map(len)
    parts = [_scores_of(none, *(rows[name] for name in columns)) for _, rows in records.groupby(sizes.to_numpy())]
    return pd.concat(parts).reindex(records.index)


def _scores_of(
    none: str,
    true_name: pd.Series,
    other_names: pd.Series,
    loglik_true: pd.Series,
    loglik_others: pd.Series,
    tokens_true: pd.Series,
    tokens_others: pd.Series,
) -> pd.DataFrame:
    """The scores of records with the same number of names."""
    is_none = _with_true(true_name, other_names, object) == none
    per_token = _with_true(loglik_true, loglik_others, float) / _with_true(tokens_true, tokens_others, float)
    of_names = np.sort(np.where(is_none, -np.inf, per_token), axis=1)
    of_none = per_token[np.arange(len(per_token)), is_none.argmax(axis=1)]
    second, best = of_names[:, -2], of_names[:, -1]
    is_known = ~is_none[:, 0]
    is_right = is_known & (per_token[:, 0] == best)
    correct = np.where(is_right, 1 / (of_names == best[:, None]).sum(axis=1).clip(1), 0.0)
    columns = best, best - second, best - of_none, is_known, correct, best > of_none
    names = *SCORES, "known", "correct", "accepted"
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=true_name.index)


def _with_true(true: pd.Series, others: pd.Series, kind: type) -> NDArray[Any]:
    """(N, M) values of the M candidates of N records, the true one first."""
    return np.column_stack([true.to_numpy(dtype=kind), np.stack(others.tolist()).astype(kind)])


def auroc(scores: ArrayLike, known: ArrayLike, clusters: ArrayLike) -> IntervalEstimate:
    """The area under the ROC curve: the probability that a known query has a larger score than an unknown one.

    A = mean over all pairs of a known query i and an unknown query j of [s_i > s_j] + [s_i = s_j]/2, which is the
    statistic of Mann and Whitney divided by the number of pairs (Bamber 1975).

    Its variance is that of clustered data (Obuchowski 1997): C/(C − 1)·Σ_c u_c², with the sum u_c of
    (V_i − A)/N_known over the known queries of cluster c and of (V_j − A)/N_unknown over its unknown ones; V_i is the
    share of unknown queries below i, and V_j the share of known ones above j. The interval is Wilson's on the effective
    number of trials A(1 − A) / variance / (t/z)², as that of a mean (see `effective_size`), since A is close to 1 where
    scores separate well. With fewer than 3 effective errors, there are at most as many trials as queries of the rarer
    kind.

    Args:
        scores: (N,) scores.
        known: (N,) whether the query's concept is in the support.
        clusters: (N,) the cluster of each query.

    Raises:
        UserError: there are only known queries, or only unknown ones.
    """
    queries = _Queries.of(scores, known, clusters)
    placements = queries.placements()
    area = float(placements[queries.known].mean())
    size = _effective_trials(queries, placements, area)
    low, high = wilson(area * size, size)
    return IntervalEstimate(area, low, high, len(queries.scores), queries.count)


def tpr_threshold(scores: ArrayLike, known: ArrayLike, tpr: float = TPR) -> float:
    """The largest threshold that accepts at least a share of the known queries.

    Args:
        scores: (N,) scores; a query is accepted if its score is at least the threshold.
        known: (N,) whether the query's concept is in the support.
        tpr: the share.
    """
    accepted = np.sort(np.asarray(scores, float)[np.asarray(known, bool)])[::-1]
    return float(accepted[int(np.ceil(tpr * len(accepted) - 1e-9)) - 1])


def fpr_at_tpr(scores: ArrayLike, known: ArrayLike, clusters: ArrayLike, tpr: float = TPR) -> IntervalEstimate:
    """The share of unknown queries that are accepted at the threshold that accepts a share of the known ones.

    Two errors add up in quadrature, by the method of variance estimates recovery (Zou and Donner 2008). That of a share
    at a fixed threshold is Wilson's interval on the `effective_size` of the unknown queries. That of the threshold is
    the change of the share between the thresholds at the limits of the true-positive rate: the quantiles of a binomial
    distribution with the effective number of known queries, at probability `tpr`. With fewer than 72 effective known
    queries, the upper limit is all of them, so that nothing bounds the threshold from below: the upper end is then 1.

    Args:
        scores: (N,) scores.
        known: (N,) whether the query's concept is in the support.
        clusters: (N,) the cluster of each query.
        tpr: the share of known queries to accept.

    Raises:
        UserError: there are only known queries, or only unknown ones.
    """
    queries = _Queries.of(scores, known, clusters)
    unknown = ~queries.known

    def share(threshold: float) -> NDArray[np.float64]:
        return (queries.scores[unknown] >= threshold).astype(float)

    accepted = share(tpr_threshold(scores, known, tpr))
    value, size = float(accepted.mean()), effective_size(accepted, queries.clusters[unknown])
    low, high = wilson(value * size, size)
    fewest, most = (float(share(threshold).mean()) for threshold in _threshold_limits(queries, tpr))
    return IntervalEstimate(
        value,
        max(0.0, value - float(np.hypot(value - low, value - fewest))),
        min(1.0, value + float(np.hypot(high - value, most - value))),
        len(accepted),
        len(np.unique(queries.clusters[unknown])),
    )


def accepted_accuracy(
    scores: ArrayLike,
    known: ArrayLike,
    correct: ArrayLike,
    clusters: ArrayLike,
    rng: np.random.Generator,
    tpr: float = TPR,
) -> IntervalEstimate:
    """The share of accepted queries that are named correctly, at the threshold that accepts a share of the known ones.

    An accepted unknown query is wrong whatever it is called, so the share depends on how many queries are unknown. The
    interval combines that of `cluster_bootstrap` at a fixed threshold and the change between the limits of the
    threshold, as in `fpr_at_tpr`.

    Args:
        scores: (N,) scores.
        known: (N,) whether the query's concept is in the support.
        correct: (N,) from 0 to 1, whether the most likely name is the true one; not used for unknown queries.
        clusters: (N,) the cluster of each query.
        rng: draws the bootstrap.
        tpr: the share of known queries to accept.

    Raises:
        UserError: there are only known queries, or only unknown ones.
    """
    queries = _Queries.of(scores, known, clusters)
    outcomes = np.where(queries.known, np.asarray(correct, float), 0.0)

    def accepted(threshold: float) -> NDArray[np.bool_]:
        return queries.scores >= threshold

    chosen = accepted(tpr_threshold(scores, known, tpr))
    value = float(outcomes[chosen].mean())
    low, high = cluster_bootstrap(outcomes[chosen], queries.clusters[chosen], rng)
    at_limits = [float(outcomes[accepted(limit)].mean()) for limit in _threshold_limits(queries, tpr)]
    down, up = max(0.0, value - min(at_limits)), max(0.0, max(at_limits) - value)
    return IntervalEstimate(
        value,
        max(0.0, value - float(np.hypot(value - low, down))),
        min(1.0, value + float(np.hypot(high - value, up))),
        int(chosen.sum()),
        len(np.unique(queries.clusters[chosen])),
    )


@dataclass(frozen=True)
class _Queries:
    scores: NDArray[np.float64]
    known: NDArray[np.bool_]
    clusters: NDArray[np.int_]

    @classmethod
    def of(cls, scores: ArrayLike, known: ArrayLike, clusters: ArrayLike) -> _Queries:
        flags = np.asarray(known, bool)
        if flags.all() or not flags.any():
            which = "no query is of a concept in the support" if not flags.any() else "all queries are of such concepts"
            raise UserError(f"rejection needs queries of concepts in the support and of others; {which}")
        return cls(np.asarray(scores, float), flags, cluster_numbers(clusters))

    @property
    def count(self) -> int:
        return int(self.clusters.max()) + 1

    def placements(self) -> NDArray[np.float64]:
        """(N,) for each query the share of the other kind that it is on the right side of; a tie counts one half."""
        shares = np.empty(len(self.scores))
        for kind, sign in ((self.known, 1.0), (~self.known, -1.0)):
            others = np.sort(sign * self.scores[~kind])
            below, up_to = (np.searchsorted(others, sign * self.scores[kind], side) for side in ("left", "right"))
            shares[kind] = (below + up_to) / 2 / len(others)
        return shares

    def alike(self) -> float:
        """The number of trials if all queries of a cluster always agreed, of the kind with fewer."""
        counts = (np.bincount(self.clusters[kind]) for kind in (self.known, ~self.known))
        return min(float(count.sum() ** 2 / (count**2).sum()) for count in counts)


def _effective_trials(queries: _Queries, placements: NDArray[np.float64], area: float) -> float:
    weights = np.where(queries.known, 1 / queries.known.sum(), 1 / (~queries.known).sum())
    influence = np.bincount(queries.clusters, weights * (placements - area))
    clusters, squares = len(influence), influence**2
    if clusters < 2 or squares.sum() < 1e-12:
        return queries.alike()
    variance = float(squares.sum()) * clusters / (clusters - 1)
    kurtosis = clusters * float((squares**2).sum()) / float(squares.sum()) ** 2
    freedom = min(clusters - 1.0, 2 * clusters / max(kurtosis - 1, 1e-9))
    widening = float(stats.t.ppf(0.975, freedom)) / _Z
    trials = max(queries.alike(), area * (1 - area) / variance / widening**2)
    if trials * min(area, 1 - area) < _FEW:
        trials = min(trials, float(min(queries.known.sum(), (~queries.known).sum())))
    return trials


def _threshold_limits(queries: _Queries, tpr: float) -> tuple[float, float]:
    """The thresholds between which the one that truly accepts a share of known queries is: the larger one first."""
    scores = queries.scores[queries.known]
    accepted = (scores >= tpr_threshold(queries.scores, queries.known, tpr)).astype(float)
    # Where ties let all be accepted, nothing shows a correlation within clusters, and none is assumed.
    size = effective_size(accepted, queries.clusters[queries.known], correlation=0.0)
    trials = max(1, round(size))
    fewest, most = (float(stats.binom.ppf(q, trials, tpr)) / trials for q in (0.025, 0.975))
    upper = tpr_threshold(queries.scores, queries.known, max(fewest, 1 / len(scores)))
    lower = -np.inf if most >= 1 else tpr_threshold(queries.scores, queries.known, most)
    return upper, lower
