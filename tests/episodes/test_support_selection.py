"""Chosen supports, against rankings that are computed image by image."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import SELECTIONS, Episode, Selection, draw_episode, select_support
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")


def feature(ref: ImageRef) -> np.ndarray:
    """A random direction of an image, always the same."""
    rng = np.random.default_rng([ref.number, *ref.concept.encode()])
    vector = rng.normal(size=8)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def pool(query: int = 0, shots: int = 20) -> Episode:
    return draw_episode(WORLD, 3, query, shots)


def of_concept(episode: Episode, concept: str) -> list[ImageRef]:
    return [example.image for example in episode.support if example.image.concept == concept]


@pytest.mark.parametrize("query", range(5))
@pytest.mark.parametrize(("how", "sign"), [("nearest", 1), ("farthest", -1)])
def test_images_are_ranked_by_their_similarity_to_the_query(how: Selection, sign: int, query: int) -> None:
    episode = pool(query)
    chosen = select_support(episode, how, 6, feature)
    target = feature(episode.query)
    for concept in {example.image.concept for example in episode.support}:
        by_hand = sorted(of_concept(episode, concept), key=lambda ref: sign * float(np.dot(feature(ref), target)))
        assert of_concept(chosen, concept) == by_hand[-3:]


@pytest.mark.parametrize("query", range(5))
def test_a_diverse_support_is_the_greedy_k_centre_choice(query: int) -> None:
    episode = pool(query)
    chosen = select_support(episode, "diverse", 8, feature)
    for concept in {example.image.concept for example in episode.support}:
        images = of_concept(episode, concept)
        mean = np.mean([feature(ref) for ref in images], axis=0)
        expected = [max(images, key=lambda ref: float(feature(ref) @ mean))]
        while len(expected) < 4:
            rest = [ref for ref in images if ref not in expected]
            gaps = [min(float(np.linalg.norm(feature(ref) - feature(one))) for one in expected) for ref in rest]
            expected.append(rest[int(np.argmax(gaps))])
        assert of_concept(chosen, concept) == expected


def test_a_diverse_support_covers_the_pool_better_than_the_nearest_images() -> None:
    """Greedy k-centre is within twice the radius of the best choice (Gonzalez 1985)."""
    episode = pool(shots=16)
    concept = episode.support[0].image.concept
    images = np.stack([feature(ref) for ref in of_concept(episode, concept)])

    def radius(chosen: np.ndarray) -> float:
        return float(np.linalg.norm(images[:, None] - chosen, axis=2).min(axis=1).max())

    found = {
        how: radius(np.stack([feature(ref) for ref in of_concept(select_support(episode, how, 6, feature), concept)]))
        for how in SELECTIONS
    }
    best = min(radius(images[list(some)]) for some in combinations(range(len(images)), 3))
    assert best <= found["diverse"] <= 2 * best
    assert found["diverse"] < found["nearest"]


@pytest.mark.parametrize("how", SELECTIONS)
def test_labels_stay_balanced_and_where_they_were(how: Selection) -> None:
    episode = pool()
    chosen = select_support(episode, how, 8, feature)
    assert [example.label for example in chosen.support] == [example.label for example in episode.support[:8]]
    assert set(Counter(example.label for example in chosen.support).values()) == {4}
    assert set(chosen.support) <= set(episode.support)
    assert len(set(chosen.support)) == 8
    assert not any(example.false for example in chosen.support)


def test_a_random_support_is_that_of_fewer_shots() -> None:
    assert select_support(pool(), "random", 6, feature) == draw_episode(WORLD, 3, 0, 6)


def test_mistakes_are_errors_in_one_line() -> None:
    with pytest.raises(UserError, match="selection neerest: unknown; did you mean 'nearest'"):
        select_support(pool(), "neerest", 2, feature)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="cannot be chosen from the 20 shots"):
        select_support(pool(), "nearest", 22, feature)
