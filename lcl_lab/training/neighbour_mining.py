"""Mines the hard negatives of a dataset with a CLIP (paper, section 3.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lcl_lab.concepts import Dataset, load_dataset, neighbours_file
from lcl_lab.concepts.hard_negatives import WEIGHTS, draw_neighbours, similarity
from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import Clip, load_clip_by_name
from lcl_lab.models.concept_features import mean_image_features
from lcl_lab.training.mine_config import MineConfig
from lcl_lab.training.tensor_cache import cached, digest

__all__ = ["mine_neighbours", "write_neighbours"]


def mine_neighbours(
    dataset: Dataset,
    clip: Clip,
    images: int = 100,
    count: int = 100,
    weights: tuple[float, float, float] = WEIGHTS,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Draw hard negatives for every concept of a dataset.

    A concept is represented by the mean feature of some of its images and, if the CLIP encodes texts, by the feature of
    its text. Features are
    cached on disk by the content of dataset and CLIP.

    Args:
        dataset: C concepts.
        clip: encodes images and texts.
        images: random images per concept to encode; all where a concept has fewer.
        count: N, the neighbours per concept.
        weights: of image-image, image-text and text-text similarity.
        seed: random seed.

    Returns:
        (C, N), indices in the dataset's order, most similar first.

    Raises:
        ValueError: the dataset has at most `count` concepts.
    """
    concepts = list(dataset.concepts.values())
    key = digest(dataset.fingerprint, clip.fingerprint, images, seed)

    def encode() -> dict[str, torch.Tensor]:
        means = mean_image_features(dataset, clip, images, seed, "Mining hard negatives")
        texts = clip.encode_concepts(concepts)
        encoded = {"images": torch.from_numpy(means)}
        return encoded if texts is None else {**encoded, "texts": torch.from_numpy(texts)}

    features = cached("clip", key, encode)
    images_of = features["images"].numpy()
    similarities = similarity(images_of, features["texts"].numpy() if "texts" in features else None, weights)
    return draw_neighbours(similarities, count, np.random.default_rng([seed, 4]))


def write_neighbours(config: MineConfig) -> Path:
    """Mine hard negatives and write them in the format of the authors' release.

    Args:
        config: dataset, CLIP, output file and numbers.

    Returns:
        The path of the file.

    Raises:
        UserError: the file exists, there is no such dataset or CLIP, or a number does not suit the dataset.
    """
    out = config.out
    if out.exists():
        raise UserError("exists already; choose another path", option="out", value=out)
    if not out.parent.is_dir():
        raise UserError(f"no folder {out.parent}", option="out", value=out)
    if min(config.weights) < 0 or sum(config.weights) == 0:
        raise UserError("must be at least 0, and not all 0", option="weights", value=config.weights)
    dataset = load_dataset(config.data)
    others = len(dataset.concepts) - 1
    count = min(100, others) if config.count is None else config.count
    if count > others:
        reason = f"each concept of {dataset.name} has {others} others; choose 1 to {others}"
        raise UserError(reason, option="count", value=count)
    rows = mine_neighbours(dataset, load_clip_by_name(config.clip), config.images, count, config.weights, config.seed)
    neighbours_file.write_neighbours(out, dataset, rows, np.random.default_rng([config.seed, 5]))
    return out
