"""The minimum detectable difference and the size that decides, by simulation of the studies that they describe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lcl_lab.analysis import (
    SEVERAL_TRAININGS,
    Estimate,
    cluster_mcnemar,
    detectable,
    detectable_drop,
    difference_interval,
    equivalence,
    position_drops,
)
from lcl_lab.analysis.detection import fewest


def measured(value: float, arm: float, clusters: int = 50, confidence: float = 0.95) -> Estimate:
    return Estimate(
        value=value, low=value - arm, high=value + arm, n=200, clusters=clusters, estimand="change",
        confidence=confidence,
    )  # fmt: skip


def test_a_detectable_difference_is_2_80_standard_errors() -> None:
    missed = detectable(measured(0.05, 0.0196))
    assert missed.difference == pytest.approx(0.0280, abs=1e-4)
    # z of the confidence of the interval, whatever it is, gives the same standard error.
    of_ninety = detectable(measured(0.05, 0.01 * float(stats.norm.isf(0.05)), confidence=0.9))
    assert of_ninety.difference == pytest.approx(missed.difference, abs=1e-4)
    assert detectable(measured(0.05, 0.0196), level=0.005).difference == pytest.approx(0.0365, abs=1e-4)


def test_the_number_needed_is_that_of_the_nearest_bound() -> None:
    assert detectable(measured(0.05, 0.1), [0.0]).needed == 409  # 50 · (0.1429 / 0.05)²
    assert detectable(measured(0.05, 0.1), [0.0, 0.1]).needed == 409
    assert detectable(measured(0.05, 0.1), [0.0, 0.06]).needed == 10_217
    assert detectable(measured(0.05, 0.1), [0.05]).needed is None
    assert detectable(measured(0.05, 0.1), [0.0501]).needed is None
    assert SEVERAL_TRAININGS.needed == 2


@given(
    value=st.floats(-0.5, 0.5), arm=st.floats(0.01, 0.5), clusters=st.integers(5, 200), bound=st.floats(-0.5, 0.5)
)  # fmt: skip
@settings(deadline=None)
def test_what_is_undecided_needs_more_than_there_is(value: float, arm: float, clusters: int, bound: float) -> None:
    result = detectable(measured(value, arm, clusters), [bound])
    assert result.difference > arm
    if abs(value - bound) <= arm and result.needed is not None:
        assert result.needed > clusters
    mirrored = detectable(measured(-value, arm, clusters), [-bound])
    assert mirrored == result


def studies(rng: np.random.Generator, difference: float, pairs: int, count: int) -> np.ndarray:
    """(studies, pairs, 4) differences of which 30 % change, correlated within pairs."""
    shift = rng.normal(0, 0.12, (count, pairs, 1))
    draws = rng.random((count, pairs, 4))
    gain = np.clip((0.3 + difference + shift) / 2, 0, 1)
    loss = np.clip((0.3 - difference - shift) / 2, 0, 1)
    return np.where(draws < gain, 1, np.where(draws > 1 - loss, -1, 0))


def test_a_difference_of_that_size_is_detected_in_80_percent_of_studies() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(60), 4)
    arms = []
    for study in studies(rng, 0.0, 60, 40):
        low, high = difference_interval(study.ravel(), clusters)
        arms.append((high - low) / 2)
    size = detectable(measured(0.0, float(np.mean(arms)), 60)).difference
    tests = [cluster_mcnemar(study.ravel(), clusters) <= 0.05 for study in studies(rng, size, 60, 400)]
    assert np.mean(tests) == pytest.approx(0.8, abs=0.07)


def test_the_number_needed_decides_in_80_percent_of_studies() -> None:
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(40), 4)
    arms = []
    for study in studies(rng, 0.06, 40, 40):
        low, high = difference_interval(study.ravel(), clusters)
        arms.append((high - low) / 2)
    needed = detectable(measured(0.06, float(np.mean(arms)), 40)).needed
    assert needed is not None
    assert 40 < needed < 400
    names = np.repeat(np.arange(needed), 4)
    tests = [cluster_mcnemar(study.ravel(), names) <= 0.05 for study in studies(rng, 0.06, needed, 400)]
    assert np.mean(tests) == pytest.approx(0.8, abs=0.08)


def test_equivalence_is_shown_with_the_number_of_clusters_that_decides() -> None:
    rng = np.random.default_rng(3)
    margin = 0.06
    study = studies(rng, 0.0, 40, 1)[0]
    study = np.concatenate([study, -study])  # whose estimate is 0
    same = equivalence(study.ravel(), np.repeat(np.arange(80), 4), margin)
    assert not same.is_equivalent
    needed = same.clusters_to_decide
    assert needed is not None
    names = np.repeat(np.arange(needed), 4)
    shown = [equivalence(each.ravel(), names, margin).is_equivalent for each in studies(rng, 0.0, needed, 60)]
    assert np.mean(shown) == pytest.approx(0.8, abs=0.15)


def test_an_estimate_at_the_margin_is_decided_by_the_difference_itself() -> None:
    rng = np.random.default_rng(4)
    same = equivalence(studies(rng, 0.05, 60, 1)[0].ravel(), np.repeat(np.arange(60), 4), 0.02)
    near = replace(same, estimate=0.03, low=-0.04, high=0.10)
    needed = near.clusters_to_decide
    error = (0.07**2 - near.resolution**2) ** 0.5 / float(stats.norm.isf(0.05))
    assert needed == pytest.approx(60 * (2.8016 * error / 0.03) ** 2, rel=0.02)
    assert replace(same, estimate=0.0, low=-0.3, high=0.3, margin=1e-4).clusters_to_decide is None


def test_without_any_change_equivalence_needs_as_many_clusters_as_show_rare_harm() -> None:
    same = equivalence(np.zeros(80), np.repeat(np.arange(20), 4), 0.02)
    assert same.clusters_to_decide == 149


@pytest.mark.slow
def test_a_drop_of_that_size_at_one_position_is_detected() -> None:
    rng = np.random.default_rng(5)

    def drops(excess: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cost = np.full(6, 0.05) + np.where(np.arange(6) == 4, excess, 0)
        return np.ones(200), (rng.random((200, 6)) >= cost).astype(float), np.repeat(np.arange(50), 4)

    effects = position_drops(*drops(0.0), rng)
    missed = detectable_drop(effects)
    assert 0 < missed.difference < 0.2
    tests = [position_drops(*drops(missed.difference), rng).p_value < 0.05 for _ in range(60)]
    assert 0.6 < np.mean(tests) <= 1.0  # the excess has a larger variance than the other positions


def test_without_any_change_a_drop_of_that_size_may_still_have_been_missed() -> None:
    effects = position_drops(np.ones(40), np.ones((40, 4)), np.repeat(np.arange(10), 4), np.random.default_rng(0))
    missed = detectable_drop(effects)
    assert missed.difference > 0.2
    assert missed.needed is None


@pytest.mark.parametrize("threshold", [11, 12, 57, 9_999])
def test_the_fewest_are_found(threshold: int) -> None:
    assert fewest(lambda clusters: clusters >= threshold, 10) == threshold
    assert fewest(lambda clusters: False, 10) is None
