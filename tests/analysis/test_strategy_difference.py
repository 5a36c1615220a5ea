from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as draws
from hypothesis.extra.numpy import arrays

from lcl_lab.analysis import change_of_strategy, difference_interval, difference_of_strategies
from lcl_lab.errors import UserError

EACH = 4  # queries per concept pair


def answers(
    rng: np.random.Generator, mean: float, trainings: int, pairs: int, deviation: float, difficulty: np.ndarray
) -> np.ndarray:
    """(trainings, pairs · EACH) 0/1 answers of one strategy.

    Trainings have their own accuracy, the strategy its own strong and weak pairs, and each training a few more.
    """
    chance = (
        mean
        + difficulty
        + rng.normal(0, 0.05, pairs)
        + rng.normal(0, deviation, (trainings, 1))
        + rng.normal(0, 0.05, (trainings, pairs))
    )
    right = rng.random((trainings, pairs, EACH)) < np.clip(chance, 0, 1)[..., None]
    return right.reshape(trainings, -1).astype(float)


@pytest.mark.parametrize("deviation", [0.0, 0.02, 0.06])
@pytest.mark.parametrize("pairs", [10, 50])
@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_equal_strategies_are_called_different_in_at_most_6_percent(
    trainings: int, pairs: int, deviation: float
) -> None:
    """The same as coverage at least 94 % of the interval, which excludes 0 exactly if p < 0.05."""
    rng = np.random.default_rng([1, trainings, pairs, int(1000 * deviation)])
    groups = np.repeat(np.arange(pairs), EACH)
    errors = 0
    for _ in range(800):
        difficulty = rng.normal(0, 0.12, pairs)
        a, b = (answers(rng, 0.65, trainings, pairs, deviation, difficulty) for _ in range(2))
        result = difference_of_strategies(a, b, groups)
        errors += result.p_value < 0.05
        assert (result.p_value < 0.05) == (result.low > 0 or result.high < 0)
    # 6 % and two standard errors of a simulation of this size
    assert errors / 800 <= 0.06 + 2 * (0.06 * 0.94 / 800) ** 0.5


def test_one_training_each_calls_equal_strategies_different_far_too_often() -> None:
    """What the interval of two checkpoints says of their strategies, in the same simulation."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(50), 40)
    excluded = []
    for _ in range(100):
        difficulty = np.repeat(rng.normal(0, 0.12, 50), 10)
        a, b = (answers(rng, 0.65, 1, 500, 0.03, difficulty)[0] for _ in range(2))
        low, high = difference_interval(b - a, groups.astype(object))
        excluded.append(not low <= 0 <= high)
    assert np.mean(excluded) > 0.2


@pytest.mark.parametrize("trainings", [2, 3, 5])
def test_a_difference_between_nearly_perfect_strategies_is_covered(trainings: int) -> None:
    """A strategy that is always right against one that fails on few pairs: most differences are 0, some large."""
    rng = np.random.default_rng([3, trainings])
    groups = np.repeat(np.arange(50), EACH)
    inside = []
    for _ in range(400):
        chance = np.repeat(rng.beta(0.98 * 10, 0.02 * 10, 50), EACH)
        a = (rng.random((trainings, 200)) < chance).astype(float)
        result = difference_of_strategies(a, np.ones((trainings, 200)), groups)
        inside.append(result.low <= 0.02 <= result.high)
    assert np.mean(inside) >= 0.93


@pytest.mark.parametrize("deviation", [0.0, 0.02, 0.06])
@pytest.mark.parametrize("trainings", [2, 5])
def test_a_change_that_differs_between_trainings_is_covered(trainings: int, deviation: float) -> None:
    rng = np.random.default_rng([4, trainings, int(1000 * deviation)])
    groups = np.repeat(np.arange(50), EACH)
    inside = []
    for _ in range(400):
        difficulty = rng.normal(0, 0.12, 50)
        a, b = (answers(rng, mean, trainings, 50, deviation, difficulty) for mean in (0.6, 0.7))
        result = change_of_strategy(a, b, groups)
        inside.append(result.low <= 0.1 <= result.high)
        assert (result.p_value < 0.05) == (result.low > 0 or result.high < 0)
    assert np.mean(inside) >= 0.93


def test_real_differences_are_found() -> None:
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(50), EACH)
    found = 0
    for _ in range(100):
        difficulty = rng.normal(0, 0.12, 50)
        a, b = (answers(rng, mean, 3, 50, 0.01, difficulty) for mean in (0.6, 0.75))
        found += difference_of_strategies(a, b, groups).p_value < 0.05
    assert found > 80


def test_the_estimate_weights_queries_and_not_pairs() -> None:
    groups = np.array([0, 0, 0, 1])
    a, b = np.zeros((2, 4)), np.array([[1.0, 1, 1, 0], [1, 1, 1, 0]])
    result = difference_of_strategies(a, b, groups)
    assert (result.accuracy_a, result.accuracy_b, result.estimate) == (0, 0.75, 0.75)
    assert (result.trainings_a, result.trainings_b, result.n, result.clusters) == (2, 2, 4, 2)


def test_without_any_variance_the_interval_has_the_resolution_of_the_pairs() -> None:
    ones, groups = np.ones((3, 80)), np.repeat(np.arange(20), 4)
    for result in (difference_of_strategies(ones, ones, groups), change_of_strategy(ones, ones, groups)):
        assert (result.estimate, result.p_value) == (0, 1)
        assert result.high == -result.low == pytest.approx(0.161, abs=0.001)  # Wilson's limit for 0 of 20
    for result in (difference_of_strategies(0 * ones, ones, groups), change_of_strategy(0 * ones, ones, groups)):
        assert result.low == pytest.approx(0.839, abs=0.001)
        assert result.high == 1
        assert result.p_value < 0.05


TABLES = draws.tuples(draws.integers(2, 4), draws.integers(2, 4), draws.integers(2, 6)).flatmap(
    lambda sizes: draws.tuples(
        *(arrays(float, (trainings, 2 * sizes[2]), elements=draws.sampled_from([0.0, 1.0])) for trainings in sizes[:2]),
        draws.permutations(range(2 * sizes[2])),
    )
)


@settings(deadline=None, max_examples=150)
@given(TABLES)
def test_relabelling_the_sides_flips_signs_only(sides: tuple[np.ndarray, np.ndarray, list[int]]) -> None:
    """Neither does the order of trainings or of queries matter."""
    a, b, order = sides
    groups = np.arange(a.shape[1]) // 2
    pairs = [
        (
            difference_of_strategies(a, b, groups),
            difference_of_strategies(b[::-1][:, order], a[:, order], groups[order]),
        )
    ]
    if len(a) == len(b):
        pairs.append((change_of_strategy(a, b, groups), change_of_strategy(b[:, order], a[:, order], groups[order])))
    for one, other in pairs:
        assert (one.estimate, one.low, one.high) == pytest.approx((-other.estimate, -other.high, -other.low))
        assert one.p_value == pytest.approx(other.p_value, abs=1e-9)
        assert (one.accuracy_a, one.trainings_a) == pytest.approx((other.accuracy_b, other.trainings_b))
        assert one.low <= one.estimate <= one.high
        assert one.low < one.high


def test_what_cannot_be_compared_is_rejected() -> None:
    two, groups = np.ones((2, 6)), np.arange(6) // 2
    with pytest.raises(UserError, match="two trainings"):
        difference_of_strategies(np.ones((1, 6)), two, groups)
    with pytest.raises(UserError, match="between 0 and 1"):
        difference_of_strategies(two, np.full((2, 6), np.nan), groups)
    with pytest.raises(UserError, match="the same queries"):
        difference_of_strategies(two, np.ones((2, 5)), groups)
    with pytest.raises(UserError, match="two clusters"):
        difference_of_strategies(two, two, np.zeros(6))
    with pytest.raises(UserError, match="same trainings on both sides, not 2 and 3"):
        change_of_strategy(two, np.ones((3, 6)), groups)
