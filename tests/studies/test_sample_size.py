from __future__ import annotations

import pytest

from lcl_lab.errors import UserError
from lcl_lab.studies import required_sample_size


def test_a_comparison_of_strategies_is_planned_over_trainings_and_queries() -> None:
    _, sizes = required_sample_size(difference=0.1, seed_deviation=0.01, trainings=(3, 5))
    assert [(size.trainings, size.queries_per_pair) for size in sizes] == [
        (trainings, queries) for trainings in (3, 5) for queries in (1, 2, 4, 8)
    ]
    for three, five in zip(sizes[:4], sizes[4:], strict=True):
        assert three.pairs is not None
        assert five.pairs is not None
        assert five.pairs < three.pairs
        assert five.prompts == 2 * 5 * five.pairs * five.queries_per_pair


def test_trainings_that_differ_too_much_are_never_enough() -> None:
    _, sizes = required_sample_size(difference=0.05, seed_deviation=0.1, trainings=(2,))
    assert [(size.pairs, size.queries, size.prompts) for size in sizes] == [(None, None, None)] * 4


def test_a_single_training_per_strategy_is_rejected() -> None:
    with pytest.raises(UserError, match="at least 2 each"):
        required_sample_size(difference=0.1, seed_deviation=0.01, trainings=(1, 3))
