from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score, roc_curve

from lcl_lab.analysis import (
    SCORES,
    accepted_accuracy,
    answer_scores,
    auroc,
    cluster_bootstrap,
    fpr_at_tpr,
    tpr_threshold,
)
from lcl_lab.errors import UserError


def simulated(seed: int, distance: float = 1.5, pairs: int = 40, levels: int | None = None) -> tuple[np.ndarray, ...]:
    """Scores of queries in pairs, whether they are known, and the pairs; rounded to a few levels for ties."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(pairs), 8)
    known = rng.random(len(names)) < 0.5
    scores = distance * known + 0.5 * rng.standard_normal(pairs)[names] + rng.standard_normal(len(names))
    return (np.round(scores * levels) / levels if levels else scores), known, names


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_that_of_other_libraries(seed: int, levels: int | None) -> None:
    scores, known, names = simulated(seed, levels=levels)
    found = auroc(scores, known, names)
    assert found.estimate == pytest.approx(roc_auc_score(known, scores))
    statistic = mannwhitneyu(scores[known], scores[~known]).statistic
    assert found.estimate == pytest.approx(statistic / (known.sum() * (~known).sum()))
    assert found.low < found.estimate < found.high
    assert (found.n, found.clusters) == (len(scores), 40)


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_rate_is_that_of_the_roc_curve(seed: int, levels: int | None) -> None:
    scores, known, names = simulated(seed, levels=levels)
    false, true, thresholds = roc_curve(known, scores, drop_intermediate=False)
    first = int(np.argmax(true >= 0.95))
    assert tpr_threshold(scores, known) == thresholds[first]
    found = fpr_at_tpr(scores, known, names)
    assert found.estimate == pytest.approx(false[first])
    assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_the_variance_of_single_queries_is_delongs() -> None:
    """With every query its own cluster, up to the factors for few clusters that differ between the two."""
    rng = np.random.default_rng(3)
    known = np.arange(4000) < 2000
    scores = rng.standard_normal(4000) + known
    found = auroc(scores, known, np.arange(4000))
    below = (scores[known][:, None] > scores[~known][None, :]).mean(axis=1)
    above = (scores[known][:, None] > scores[~known][None, :]).mean(axis=0)
    deviation = (below.var(ddof=1) / 2000 + above.var(ddof=1) / 2000) ** 0.5
    assert (found.high - found.low) / 2 == pytest.approx(norm.ppf(0.975) * deviation, rel=0.01)


def test_queries_that_agree_within_clusters_say_less() -> None:
    rng = np.random.default_rng(0)
    names = np.repeat(np.arange(40), 8)
    known = np.tile([True, False], 160)
    of_pair = rng.standard_normal((40, 2)).repeat(4, axis=0).ravel()  # all known ones of a pair agree, and all others
    scores = of_pair + known
    clustered, single = auroc(scores, known, names), auroc(scores, known, np.arange(320))
    assert clustered.estimate == single.estimate
    assert clustered.high - clustered.low > 1.4 * (single.high - single.low)


def test_scores_that_separate_or_say_nothing() -> None:
    _, known, names = simulated(0)
    perfect = auroc(known.astype(float), known, names)
    assert (perfect.estimate, perfect.high) == (1.0, 1.0)
    assert 0.85 < perfect.low < 1
    assert auroc(-known.astype(float), known, names).estimate == 0
    constant = np.zeros(len(known))
    assert auroc(constant, known, names).estimate == 0.5
    rate = fpr_at_tpr(known.astype(float), known, names)
    assert (rate.estimate, rate.low) == (0, 0)
    assert 0 < rate.high < 0.15
    assert fpr_at_tpr(constant, known, names).estimate == 1


def test_too_few_known_queries_do_not_bound_the_rate() -> None:
    scores, known, names = simulated(1, distance=4.0, pairs=10)
    assert fpr_at_tpr(scores, known, names).high == 1


def test_accuracy_on_accepted_queries() -> None:
    scores, known, names = simulated(2)
    correct = np.random.default_rng(0).random(len(scores)) < 0.8
    found = accepted_accuracy(scores, known, correct, names, np.random.default_rng(0))
    accepted = scores >= tpr_threshold(scores, known)
    assert found.estimate == pytest.approx((correct & known)[accepted].mean())
    low, high = cluster_bootstrap((correct & known)[accepted], names[accepted], np.random.default_rng(0))
    assert found.low <= low < found.estimate < high <= found.high
    assert found.n == accepted.sum()


def test_one_kind_of_queries_is_refused() -> None:
    scores, known, names = simulated(0)
    for flags, message in ((known | True, "all queries are of such"), (known & False, "no query is of a concept")):
        for estimate in (auroc, fpr_at_tpr):
            with pytest.raises(UserError, match=message):
                estimate(scores, flags, names)


def test_scores_of_records() -> None:
    records = pd.DataFrame(
        {
            "true_name": ["wug", "none", "wug", "wug"],
            "other_names": [["dax", "none"], ["wug", "dax"], ["dax", "none"], ["dax", "none"]],
            "loglik_true": [-2.0, -3.0, -4.0, -1.0],
            "loglik_others": [[-4.0, -5.0], [-1.0, -2.0], [-2.0, -1.0], [-1.0, -1.0]],
            "tokens_true": [2, 1, 1, 1],
            "tokens_others": [[1, 1], [1, 1], [1, 1], [1, 1]],
        }
    )
    found = answer_scores(records, "none")
    assert found["highest"].tolist() == [-1.0, -1.0, -2.0, -1.0]
    assert found["margin"].tolist() == [3.0, 1.0, 2.0, 0.0]
    assert found["none"].tolist() == [4.0, 2.0, -1.0, 0.0]
    assert found["known"].tolist() == [True, False, True, True]
    assert found["correct"].tolist() == [1.0, 0.0, 0.0, 0.5]
    assert found["accepted"].tolist() == [True, True, False, False]
    assert set(SCORES) <= set(found.columns)
