"""The distributions that strategies draw from, as exact probabilities (paper section 3.2).

Shots are counted in all, as the paper counts them: a k-shot support has k images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["Distribution", "exponential_shots", "fixed_shots", "negatives", "released_shots", "uniform_shots"]

FEWEST, MOST = 2, 16


@dataclass(frozen=True)
class Distribution:
    """A distribution over a few integers.

    Raises:
        ValueError: the probabilities do not fit the values or do not add up to one.
    """

    values: tuple[int, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.probabilities) or abs(sum(self.probabilities) - 1) > 1e-9:
            raise ValueError(f"{len(self.values)} values, {len(self.probabilities)} probabilities of one in all")

    def draw(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self.values, p=self.probabilities))


def negatives(count: int) -> Distribution:
    """Which neighbour is the negative: p_j = (N + 1 − j) / Σ m, j = 1 the most similar of N."""
    return _weighted(range(1, count + 1), lambda j: float(count + 1 - j))


def fixed_shots(shots: int) -> Distribution:
    """Always as many: `[2-way]` with 16, and the fixed-shot trainings of Figure 6."""
    return Distribution((shots,), (1.0,))


def uniform_shots() -> Distribution:
    """`[2-way-random]`: uniform over 2 … 16."""
    return _weighted(range(FEWEST, MOST + 1), lambda j: 1.0)


def exponential_shots() -> Distribution:
    """`[2-way-weight]`: p_j = e^j / Σ_{m=2..16} e^m."""
    return _weighted(range(FEWEST, MOST + 1), lambda j: float(np.exp(j)))


def released_shots() -> Distribution:
    """The released code's `policy_2way_random_shot`: i shots per class with p_i ∝ e^(i/2), i = 1 … 8."""
    per_class = _weighted(range(1, MOST // 2 + 1), lambda i: float(np.exp(i / 2)))
    return Distribution(tuple(2 * i for i in per_class.values), per_class.probabilities)


def _weighted(values: Iterable[int], weight: Callable[[int], float]) -> Distribution:
    kept = tuple(values)
    weights = np.array([weight(value) for value in kept])
    return Distribution(kept, tuple((weights / weights.sum()).tolist()))
