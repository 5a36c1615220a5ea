from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import (
    accuracy,
    chance_corrected,
    chance_corrected_accuracy,
    chance_corrected_difference,
    paired_difference,
)

from .simulated import PAIRS, clustered


@pytest.mark.parametrize("ways", [2, 3, 5, 20])
def test_guessing_is_0_and_perfection_1(ways: int) -> None:
    assert chance_corrected(1 / ways, ways) == 0
    assert chance_corrected(1.0, ways) == 1
    assert chance_corrected(0.0, ways) == pytest.approx(-1 / (ways - 1))


def test_it_is_cohens_kappa_of_balanced_names() -> None:
    """With equally frequent names and uniform guesses, kappa's expected agreement is 1/n."""
    from sklearn.metrics import cohen_kappa_score

    names = np.repeat(np.arange(4), 30)
    said = np.where(np.tile(np.arange(30), 4) < 21, names, (names + 1) % 4)  # all names are said equally often
    assert chance_corrected(float((said == names).mean()), 4) == pytest.approx(cohen_kappa_score(names, said))


def test_rows_are_corrected_each_by_its_number_of_ways() -> None:
    rng = np.random.default_rng(0)
    cells = [
        pd.DataFrame({"ways": ways, "pair": PAIRS, "correct_candidate": clustered(rng, mean)})
        for ways, mean in ((2, 0.9), (5, 0.4))
    ]
    rows = accuracy(pd.concat(cells), ["ways"], 0, {"candidate": "correct_candidate"})
    corrected = chance_corrected_accuracy(rows)
    for column in ("estimate", "low", "high"):
        expected = [2 * rows[column][0] - 1, (5 * rows[column][1] - 1) / 4]
        assert corrected[column].tolist() == pytest.approx(expected)
    assert (corrected["n"] == rows["n"]).all()


def frame(a: np.ndarray, b: np.ndarray, ways: tuple[int, int]) -> pd.DataFrame:
    sides = [
        pd.DataFrame({"ways": number, "query_id": np.arange(len(side)), "pair": PAIRS.astype(str), "correct": side})
        for number, side in zip(ways, (a, b), strict=True)
    ]
    return pd.concat(sides, ignore_index=True)


def test_the_difference_is_that_of_the_corrected_accuracies() -> None:
    rng = np.random.default_rng(1)
    a, b = clustered(rng, 0.9), clustered(rng, 0.6)
    found = chance_corrected_difference(frame(a, b, (2, 4)), "correct", {"ways": 2}, {"ways": 4}, (2, 4))
    assert (found.accuracy_a, found.accuracy_b) == pytest.approx((2 * a.mean() - 1, (4 * b.mean() - 1) / 3))
    assert found.estimate == pytest.approx(found.accuracy_b - found.accuracy_a)
    assert found.low < found.estimate < found.high
    assert (found.n, found.clusters) == (len(a), len(np.unique(PAIRS)))


def test_with_equal_numbers_of_ways_it_is_the_paired_difference() -> None:
    """The correction is then a change of scale: by 2 for two names."""
    rng = np.random.default_rng(2)
    a, b = clustered(rng, 0.7), clustered(rng, 0.8)
    records = frame(a, b, (0, 1))
    corrected = chance_corrected_difference(records, "correct", {"ways": 0}, {"ways": 1}, (2, 2))
    plain = paired_difference(records, "correct", {"ways": 0}, {"ways": 1})
    assert (corrected.estimate, corrected.low, corrected.high) == pytest.approx(
        (2 * plain.estimate, 2 * plain.low, 2 * plain.high)
    )
    assert corrected.p_value == pytest.approx(plain.p_value)


def test_a_model_that_is_always_right_has_a_difference_of_0_with_a_width() -> None:
    ones = np.ones(len(PAIRS))
    found = chance_corrected_difference(frame(ones, ones, (2, 5)), "correct", {"ways": 2}, {"ways": 5}, (2, 5))
    assert found.estimate == 0
    assert found.low < 0 < found.high
    assert found.p_value == 1
