from __future__ import annotations

import numpy as np
import torch

from lcl_lab.concepts import ImageRef
from lcl_lab.strategies.bank import BlendedBank

FEATURES = torch.randn(5, 8, 4, 16, generator=torch.Generator().manual_seed(0))
BANK = BlendedBank(FEATURES, ["a", "b", "c", "d", "e"])


def test_without_blending_features_are_those_of_the_images() -> None:
    bank = BlendedBank(FEATURES, ["a", "b", "c", "d", "e"], most=0)
    seen = bank([ImageRef("x", "b", 3), ImageRef("x", "e", 0)], np.random.default_rng(0))
    assert torch.equal(seen, torch.stack([FEATURES[1, 3], FEATURES[4, 0]]))


def test_a_class_is_blended_alike_throughout_an_episode() -> None:
    first, second = BANK([ImageRef("x", "a", 0), ImageRef("x", "a", 1)], np.random.default_rng(1))
    moved = [(first - FEATURES[0, 0]), (second - FEATURES[0, 1])]
    share = 1 - ((first - second) / (FEATURES[0, 0] - FEATURES[0, 1])).median()
    assert 0 < share < 0.6
    # What is left after taking out its own share is the same mean of another class.
    rest = [m + share * own for m, own in zip(moved, (FEATURES[0, 0], FEATURES[0, 1]), strict=True)]
    torch.testing.assert_close(rest[0], rest[1], atol=1e-4, rtol=1e-3)


def test_another_episode_has_other_blends() -> None:
    rng = np.random.default_rng(2)
    one, two = (BANK([ImageRef("x", "a", 0)], rng) for _ in range(2))
    assert not torch.equal(one, two)
