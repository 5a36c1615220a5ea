from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import lcl_lab as lcl
from lcl_lab.episodes import blank_query, blank_support, episode_image, permute_images, remove_support

WORLD = lcl.load_dataset("world-100")
EPISODE = lcl.draw_episode(WORLD, 0, 3, shots=8)
LABELS = [example.label for example in EPISODE.support]


def test_without_a_support_only_the_query_is_left() -> None:
    changed = remove_support(EPISODE)
    assert changed.support == ()
    assert (changed.query, changed.true_name) == (EPISODE.query, EPISODE.true_name)


def test_a_blank_support_keeps_labels_and_query() -> None:
    changed = blank_support(EPISODE)
    assert [example.label for example in changed.support] == LABELS
    assert changed.query == EPISODE.query
    grey = (128, 128, 128, 255)
    picture = episode_image(changed)
    assert all(picture.getpixel((8 + 120 * k + 56, 64)) == grey for k in range(8))


def test_a_blank_query_keeps_the_support() -> None:
    changed = blank_query(EPISODE)
    assert changed.support == EPISODE.support
    assert changed.query.data == "blank:world-100"


def test_permuted_images_keep_labels_at_their_positions() -> None:
    changed = permute_images(EPISODE)
    assert [example.label for example in changed.support] == LABELS
    images = Counter(example.image for example in EPISODE.support)
    assert Counter(example.image for example in changed.support) == images
    names = {example.image: example.true_label for example in EPISODE.support}
    assert all(names[example.image] == example.true_label for example in changed.support)
    assert permute_images(EPISODE) == changed


def test_half_of_the_labels_are_true_after_a_permutation_on_average() -> None:
    shares = [
        np.mean([not example.false for example in permute_images(lcl.draw_episode(WORLD, 0, query, 8)).support])
        for query in range(200)
    ]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("ablation", [remove_support, blank_support, blank_query, permute_images])
def test_a_perturbed_episode_has_another_id(ablation: object) -> None:
    assert ablation(EPISODE).id != EPISODE.id  # type: ignore[operator]
