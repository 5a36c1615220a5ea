"""Changes from step to step: their values, and that their intervals hold together."""

from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.analysis import difference_interval, position_drops, step_changes
from lcl_lab.errors import UserError

PAIRS = np.repeat(np.arange(30), 4)


def outcomes(rng: np.random.Generator, accuracies: list[float]) -> np.ndarray:
    """The same queries under every condition; a query that is easy under one is easy under all."""
    ease = 0.5 * rng.random(30)[PAIRS, None] + 0.5 * rng.random((120, 1))
    spread = np.argsort(np.argsort(ease[:, 0])) / 120
    return (0.5 * spread[:, None] + 0.5 * rng.random((120, len(accuracies))) < accuracies).astype(float)


def test_changes_are_those_between_neighbours() -> None:
    values = outcomes(np.random.default_rng(0), [0.3, 0.5, 0.9])
    changes = step_changes(values, PAIRS, np.random.default_rng(1))
    assert changes["estimate"].tolist() == pytest.approx(np.diff(values.mean(axis=0)).tolist())
    assert (changes["low"] < changes["estimate"]).all()
    assert (changes["estimate"] < changes["high"]).all()


def test_one_step_has_the_interval_of_a_single_difference_and_more_have_wider_ones() -> None:
    values = outcomes(np.random.default_rng(0), [0.4, 0.6, 0.5, 0.7])
    single = difference_interval(values[:, 1] - values[:, 0], PAIRS)
    alone = step_changes(values[:, :2], PAIRS, np.random.default_rng(1)).iloc[0]
    assert (alone["low"], alone["high"]) == pytest.approx(single, abs=0.01)
    together = step_changes(values, PAIRS, np.random.default_rng(1)).iloc[0]
    assert together["high"] - together["low"] > 1.1 * (single[1] - single[0])


def test_the_intervals_are_those_of_drops_for_the_same_differences() -> None:
    values = outcomes(np.random.default_rng(2), [0.4, 0.6, 0.5])
    drops = position_drops(np.zeros(120), -np.diff(values, axis=1), PAIRS, np.random.default_rng(3)).drops
    changes = step_changes(values, PAIRS, np.random.default_rng(3))
    assert changes.to_numpy() == pytest.approx(drops[["drop", "low", "high"]].to_numpy())


@pytest.mark.slow
def test_without_changes_hardly_any_family_of_steps_has_one() -> None:
    """At least one of four intervals excludes 0 in about 5 % of the samples; separate ones do so far more often."""
    rng = np.random.default_rng(4)
    false, separate = 0, 0
    for _ in range(150):
        values = outcomes(rng, [0.5] * 5)
        changes = step_changes(values, PAIRS, rng)
        false += bool(((changes["low"] > 0) | (changes["high"] < 0)).any())
        ends = [difference_interval(column, PAIRS) for column in np.diff(values, axis=1).T]
        separate += any(low > 0 or high < 0 for low, high in ends)
    assert false <= 15
    assert separate > false


def test_what_cannot_be_compared_is_an_error() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(UserError, match="at least two conditions and two clusters"):
        step_changes(np.zeros((4, 1)), [0, 0, 1, 1], rng)
    with pytest.raises(UserError, match="at least two conditions and two clusters"):
        step_changes(np.zeros((4, 2)), [0, 0, 0, 0], rng)
    with pytest.raises(UserError, match="an outcome is missing"):
        step_changes([[0, 1], [1, np.nan]], [0, 1], rng)
