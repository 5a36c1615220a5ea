from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_paired

from lcl_lab.analysis import clusters_needed, equivalence, sign_flip_interval
from lcl_lab.errors import UserError


def clustered(rng: np.random.Generator, mean: float, clusters: int = 200, each: int = 20) -> tuple[np.ndarray, ...]:
    """Differences in {-1, 0, 1}, correlated within clusters."""
    groups = np.repeat(np.arange(clusters), each)
    tilt = mean + rng.normal(0, 0.02, clusters)[groups]
    draws = rng.random(len(groups))
    return (draws < 0.1 + tilt / 2).astype(float) - (draws > 0.9 + tilt / 2), groups


def destroyed(rng: np.random.Generator, share: float, clusters: int, each: int) -> tuple[np.ndarray, ...]:
    """No change on average, but for a share of the concepts nothing is left of an accuracy of 1."""
    lost = rng.random(clusters) < share
    noise = rng.choice([-1.0, 0.0, 1.0], size=(clusters, each), p=[0.05, 0.9, 0.05])
    return np.where(lost[:, None], -1.0, noise).ravel(), np.repeat(np.arange(clusters), each)


def test_what_is_equivalent_is_so_by_the_textbook_test_too() -> None:
    rng = np.random.default_rng(0)
    equivalent = 0
    for _ in range(60):
        a, b = rng.uniform(0, 0.2, 400), rng.uniform(0, 0.2, 400) + rng.choice([0.0, 0.008])
        if equivalence(b - a, np.arange(400), 0.02).is_equivalent:
            equivalent += 1
            assert ttost_paired(b, a, -0.02, 0.02)[0] < 0.05
    assert 10 < equivalent < 60


def test_the_error_rate_at_the_margin_is_at_most_five_percent() -> None:
    rng = np.random.default_rng(1)
    wrong = [equivalence(*clustered(rng, 0.02), 0.02).is_equivalent for _ in range(200)]
    assert np.mean(wrong) <= 0.06
    right = [equivalence(*clustered(rng, 0.0, clusters=400), 0.02).is_equivalent for _ in range(20)]
    assert np.mean(right) > 0.5  # it can hold


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "each"), [(20, 40), (50, 16), (100, 8), (200, 20)])
def test_harm_to_a_few_concepts_is_not_taken_for_equivalence(clusters: int, each: int) -> None:
    """With 2 % of the concepts destroyed the mean change is at the margin."""
    rng = np.random.default_rng(clusters)
    wrong = [equivalence(*destroyed(rng, 0.02, clusters, each), 0.02).is_equivalent for _ in range(300)]
    assert np.mean(wrong) <= 0.06


def test_one_loss_more_is_never_better() -> None:
    """Without any change, and with one loss in 800, fifty concepts cannot exclude harm of two percent."""
    values, groups = np.zeros(800), np.repeat(np.arange(50), 16)
    unchanged = equivalence(values, groups, 0.02)
    values[3] = -1
    changed = equivalence(values, groups, 0.02)
    assert changed.low < unchanged.low < -0.02
    assert not unchanged.is_equivalent
    assert not changed.is_equivalent


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), clusters=st.integers(2, 60), margin=st.floats(0.01, 0.3))
def test_the_decision_is_monotone_and_never_contradicts_the_interval(seed: int, clusters: int, margin: float) -> None:
    rng = np.random.default_rng(seed)
    values, groups = destroyed(rng, 0.02, clusters, 4)
    before = equivalence(values, groups, margin)
    values[rng.integers(len(values))] = -1
    after = equivalence(values, groups, margin)
    assert after.low <= before.low + 1e-3
    assert after.is_equivalent <= before.is_equivalent or after.estimate < 0 < before.estimate
    low, high = sign_flip_interval(values, groups, 0.9)
    assert after.low <= low <= high <= after.high


@pytest.mark.parametrize("margin", [0.01, 0.02, 0.05])
def test_equivalence_needs_as_many_clusters_as_said(margin: float) -> None:
    needed = clusters_needed(margin)
    assert not equivalence(np.zeros(needed - 1), np.arange(needed - 1), margin).is_equivalent
    assert equivalence(np.zeros(5 * needed), np.arange(5 * needed) % needed, margin).resolution < margin


def test_a_constant_difference_above_the_margin_is_not_equivalence() -> None:
    assert not equivalence(np.full(200, -1.0), np.arange(200), 0.02).is_equivalent


def test_a_single_cluster_and_a_margin_of_0_are_rejected() -> None:
    with pytest.raises(UserError, match="two clusters"):
        equivalence([0.0, 1.0], ["a", "a"], 0.02)
    with pytest.raises(UserError, match="margin"):
        equivalence([0.0, 1.0], ["a", "b"], 0.0)
