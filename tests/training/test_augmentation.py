from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lcl_lab.concepts import ImageRef
from lcl_lab.training.augmentation import FeatureAugmentation

FEATURES = torch.randn(5, 8, 4, 16, generator=torch.Generator().manual_seed(0))
MEANS = {ImageRef("x", concept, 0): FEATURES[row].mean(0) for row, concept in enumerate("abcde")}


def bank(refs: list[ImageRef], rng: np.random.Generator) -> Tensor:
    return torch.stack([FEATURES["abcdefgh".index(ref.concept) % 5, ref.number] for ref in refs])


def test_a_concept_has_the_same_blend_throughout_an_episode() -> None:
    features = FeatureAugmentation(bank, MEANS, noise=0.0)
    first, second = features([ImageRef("x", "a", 0), ImageRef("x", "a", 1)], np.random.default_rng(1))
    share = 1 - ((first - second) / (FEATURES[0, 0] - FEATURES[0, 1])).median()
    assert 0 < share < 0.6
    # Without its own share, the rest is the same mean of another concept.
    rest = [got - (1 - share) * own for got, own in zip((first, second), FEATURES[0], strict=False)]
    torch.testing.assert_close(rest[0], rest[1], atol=1e-4, rtol=1e-3)
    assert any(torch.allclose(rest[0], share * mean, atol=1e-3) for mean in MEANS.values())


def test_another_episode_has_other_blends() -> None:
    features, rng = FeatureAugmentation(bank, MEANS, noise=0.0), np.random.default_rng(2)
    one, two = (features([ImageRef("x", "a", 0)], rng) for _ in range(2))
    assert not torch.equal(one, two)


def test_noise_mutes_the_same_channels_of_all_images_and_differs_between_images() -> None:
    means = dict.fromkeys(MEANS, torch.zeros(4, 16)) | {ImageRef("x", "a", 0): torch.full((4, 16), 1e-6)}
    features = FeatureAugmentation(lambda refs, rng: torch.full((len(refs), 4, 16), 5.0), means, noise=0.5)
    images = features([ImageRef("x", "a", k) for k in range(6)], np.random.default_rng(3))
    muted = images.abs().amax((0, 1)) < 1
    assert 1 <= int(muted.sum()) <= 8
    assert (images[:, :, ~muted] > 1).all()
    noisy = FeatureAugmentation(bank, MEANS, noise=0.5)([ImageRef("x", "a", 0)] * 2, np.random.default_rng(4))
    assert not torch.equal(noisy[0], noisy[1])


def test_images_of_no_concept_are_not_augmented() -> None:
    task = [ImageRef("corpus", "h", 2)]
    for noise in (0.0, 1.0):
        assert torch.equal(FeatureAugmentation(bank, MEANS, noise)(task, np.random.default_rng(0)), bank(task, None))
