"""Finds pairs of look-alikes in a dataset that does not say which of its concepts look alike, with a CLIP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lcl_lab.atomic import read_json, write_text
from lcl_lab.cache_dir import cache_folder
from lcl_lab.concepts import Pair
from lcl_lab.concepts.look_alike_pairs import pair_by_similarity
from lcl_lab.errors import UserError
from lcl_lab.models.clip_registry import load_clip_by_name
from lcl_lab.models.concept_features import mean_image_features
from lcl_lab.source_code import version_digest

if TYPE_CHECKING:
    from lcl_lab.concepts import Dataset
    from lcl_lab.models.clip_registry import Clip

__all__ = ["find_look_alikes"]

_IMAGES = 20  # per concept
_CODE = (
    "models/look_alikes.py",
    "models/clip_registry.py",
    "models/concept_features.py",
    "models/mini/*.py",
    "concepts/look_alike_pairs.py",
)


def find_look_alikes(dataset: Dataset, clip: str) -> list[Pair]:
    """Pair concepts whose images are similar according to a CLIP, so that the total similarity is as high as possible.

    The pairs are cached on disk by the content of dataset and CLIP.

    Args:
        dataset: the concepts and their images; its pairs are not used.
        clip: the name of the CLIP, see `load_clip_by_name`.

    Returns:
        Disjoint pairs in the order of the concepts. Of an odd number of concepts, one is in no pair.

    Raises:
        UserError: there is no such CLIP, or an image cannot be read.
    """
    encoder = load_clip_by_name(clip)
    content = f"{dataset.fingerprint}/{encoder.fingerprint}/{version_digest(*_CODE)}"
    file = cache_folder() / "look_alikes" / f"{blake2b(content.encode(), digest_size=8).hexdigest()}.json"
    pairs = _read(file, dataset)
    if pairs is None:
        pairs = _compute(dataset, encoder)
        _store(file, pairs)
    return pairs


def _compute(dataset: Dataset, encoder: Clip) -> list[Pair]:
    features = mean_image_features(dataset, encoder, _IMAGES, 0, "Pairing look-alikes").astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    ids = list(dataset.concepts)
    return [Pair(ids[first], ids[second]) for first, second in pair_by_similarity(features @ features.T)]


def _read(file: Path, dataset: Dataset) -> list[Pair] | None:
    """The cached pairs; None if there are none, or the file is damaged."""
    rows = (read_json(file) or {}).get("pairs")
    if not isinstance(rows, list):
        return None
    pairs = []
    for row in rows:
        match row:
            case [str(first), str(second)] if {first, second} <= dataset.concepts.keys():
                pairs.append(Pair(first, second))
    return pairs if len(pairs) == len(dataset.concepts) // 2 else None


def _store(file: Path, pairs: Sequence[Pair]) -> None:
    try:
        write_text(file, json.dumps({"pairs": pairs}))
    except UserError:
        return  # without a cache, only the next call is slower
