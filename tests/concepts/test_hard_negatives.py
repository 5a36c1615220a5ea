from __future__ import annotations

import numpy as np
import pytest

from lcl_lab.concepts.hard_negatives import draw_neighbours, similarity


def features(rows: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 8))


def test_similarity_is_the_weighted_sum_of_cosines() -> None:
    images, texts = features(5, 0), features(5, 1)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    expected = (
        0.5 * cosine(images[1], images[3])
        + 0.3 * (cosine(images[1], texts[3]) + cosine(images[3], texts[1])) / 2
        + 0.2 * cosine(texts[1], texts[3])
    )
    similar = similarity(images, texts, (0.5, 0.3, 0.2))
    assert similar[1, 3] == pytest.approx(expected)
    assert np.allclose(similar, similar.T)


def test_one_neighbour_comes_from_each_interval_most_similar_first() -> None:
    similar = similarity(features(101, 0), features(101, 1))
    chosen = draw_neighbours(similar, 10, np.random.default_rng(2))
    for c, row in enumerate(chosen):
        ranks = [int(np.flatnonzero(np.argsort(-np.where(np.arange(101) == c, -9, similar[c])) == n)[0]) for n in row]
        assert [rank // 10 for rank in ranks] == list(range(10))
        assert c not in row


def test_draws_within_an_interval_vary_with_the_generator() -> None:
    similar = similarity(features(50, 0), features(50, 1))
    one, two = (draw_neighbours(similar, 7, np.random.default_rng(seed)) for seed in (0, 1))
    assert (one != two).any()
    assert (one == draw_neighbours(similar, 7, np.random.default_rng(0))).all()


def test_more_neighbours_than_concepts_is_an_error() -> None:
    with pytest.raises(ValueError, match="10 neighbours among 10 concepts"):
        draw_neighbours(np.zeros((10, 10)), 10, np.random.default_rng(0))
