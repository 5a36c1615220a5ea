from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import e

import numpy as np
import pytest
from scipy.stats import chisquare

from lcl_lab.strategies import (
    Distribution,
    exponential_shots,
    fixed_shots,
    negatives,
    released_shots,
    uniform_shots,
)

DRAWS = 100_000


def sample(distribution: Distribution) -> Counter[int]:
    rng = np.random.default_rng(0)
    return Counter(distribution.draw(rng) for _ in range(DRAWS))


FORMULAS: dict[str, tuple[Distribution, dict[int, float]]] = {
    "negatives": (negatives(100), {j: (101 - j) / sum(range(1, 101)) for j in range(1, 101)}),
    "2-way": (fixed_shots(16), {16: 1.0}),
    "2-way-random": (uniform_shots(), dict.fromkeys(range(2, 17), 1 / 15)),
    "2-way-weight": (
        exponential_shots(),
        {j: e**j / sum(e**m for m in range(2, 17)) for j in range(2, 17)},
    ),
    "policy_2way_random_shot": (
        released_shots(),
        {2 * i: e ** (i / 2) / sum(e ** (m / 2) for m in range(1, 9)) for i in range(1, 9)},
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_probabilities_are_those_of_the_formula(name: str) -> None:
    distribution, formula = FORMULAS[name]
    assert dict(zip(distribution.values, distribution.probabilities, strict=True)) == pytest.approx(formula, rel=1e-12)


@pytest.mark.parametrize("name", FORMULAS)
def test_draws_follow_the_formula(name: str) -> None:
    distribution, formula = FORMULAS[name]
    counts = sample(distribution)
    assert counts.keys() <= formula.keys()
    # Values too rare for the test are pooled.
    common = [value for value, p in formula.items() if p * DRAWS >= 5]
    rare = [value for value in formula if value not in common]
    pools = [[value] for value in common] + ([rare] if sum(formula[v] for v in rare) * DRAWS >= 1 else [])
    observed = np.array([sum(counts[value] for value in pool) for pool in pools], float)
    expected = np.array([sum(formula[value] for value in pool) for pool in pools])
    if len(pools) > 1:
        assert chisquare(observed, expected / expected.sum() * observed.sum()).pvalue > 1e-3
    else:
        assert observed.sum() == DRAWS


@pytest.mark.parametrize(
    "wrong",
    [lambda: Distribution((1, 2), (1.0,)), lambda: Distribution((1, 2), (0.5, 0.6))],
)
def test_probabilities_that_do_not_fit_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="probabilit"):
        wrong()
