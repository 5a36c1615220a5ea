from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from lcl_lab.concepts.look_alike_pairs import pair_by_similarity


def best_total(similar: np.ndarray) -> float:
    """The highest total similarity of disjoint pairs, by trying all orders."""
    count = len(similar)
    totals = [
        sum(similar[order[k], order[k + 1]] for k in range(0, count - 1, 2)) for order in permutations(range(count))
    ]
    return max(totals)


@pytest.mark.parametrize("count", [2, 3, 5, 6, 7])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_total_similarity_is_the_highest_possible(count: int, seed: int) -> None:
    features = np.random.default_rng([seed, count]).normal(size=(count, 3))
    similar = features @ features.T
    pairs = pair_by_similarity(similar)
    assert len({index for pair in pairs for index in pair}) == 2 * len(pairs) == 2 * (count // 2)
    assert sum(similar[pair] for pair in pairs) == pytest.approx(best_total(similar))


def test_concepts_that_are_no_neighbours_of_any_other_are_paired_too() -> None:
    """Twelve copies of one concept fill all lists of neighbours, so that two far ones find each other only later."""
    features = np.vstack([np.tile([1.0, 0.0], (12, 1)), [[-1.0, 0.1], [-1.0, -0.1]]])
    assert (12, 13) in pair_by_similarity(features @ features.T)
