"""The distributions that strategies draw from, as exact probabilities (paper, section 3.2).

Shots are counted as the paper counts them: a k-shot support has k images in total.
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

    Attributes:
        values: the integers.
        probabilities: their probabilities.

    Raises:
        ValueError: the probabilities do not match the values or do not sum to one.
    """

    values: tuple[int, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.probabilities):
            raise ValueError(f"{len(self.values)} values but {len(self.probabilities)} probabilities")
        if abs(sum(self.probabilities) - 1) > 1e-9:
            raise ValueError(f"probabilities must sum to 1, not {sum(self.probabilities):g}")

    def draw(self, rng: np.random.Generator) -> int:
        """Draw one value."""
        return int(rng.choice(self.values, p=self.probabilities))


def negatives(count: int) -> Distribution:
    """The rank of the neighbour that becomes the negative: p_j = (N + 1 − j) / Σ m, j = 1 the most similar of N."""
    return _weighted(range(1, count + 1), lambda j: float(count + 1 - j))


def fixed_shots(shots: int) -> Distribution:
    """A constant number of shots: 16 in `[2-way]`, others in the fixed-shot trainings of Figure 6."""
    return Distribution((shots,), (1.0,))


def uniform_shots() -> Distribution:
    """`[2-way-random]`: uniform over 2 … 16."""
    return _weighted(range(FEWEST, MOST + 1), lambda j: 1.0)


def exponential_shots() -> Distribution:
    """`[2-way-weight]`: p_j = e^j / Σ_{m=2..16} e^m."""
    return _weighted(range(FEWEST, MOST + 1), lambda j: float(np.exp(j)))


def released_shots() -> Distribution:
    """The released code's `policy_2way_random_shot`: i shots per concept with p_i ∝ e^(i/2), i = 1 … 8."""
    per_concept = _weighted(range(1, MOST // 2 + 1), lambda i: float(np.exp(i / 2)))
    return Distribution(tuple(2 * i for i in per_concept.values), per_concept.probabilities)


def _weighted(values: Iterable[int], weight: Callable[[int], float]) -> Distribution:
    support = tuple(values)
    weights = np.array([weight(value) for value in support])
    return Distribution(support, tuple((weights / weights.sum()).tolist()))
