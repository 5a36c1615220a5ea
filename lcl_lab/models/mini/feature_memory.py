"""Features of whole images under a frozen vision tower, each computed once per process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.Image import Image
from torch import Tensor

from lcl_lab.concepts import IMAGE_SIZE, ImageRef
from lcl_lab.models import photo
from lcl_lab.models.mini.clip_tower import CLIP_FILE, clip_vision_tower, load_clip_weights, pixels
from lcl_lab.models.mini.shared_tower import SharedTower
from lcl_lab.models.shared_images import VisionTower, tower_features

__all__ = ["FeatureMemory"]


class FeatureMemory:
    """Encodes images and remembers their features.

    Args:
        folder: a folder with a mini CLIP, or with the vision tower of the photo models.

    Raises:
        UserError: it cannot be loaded.
    """

    def __init__(self, folder: Path) -> None:
        self._tower: VisionTower
        self._projection: NDArray[np.float32] | None = None
        if (folder / CLIP_FILE).exists():
            load_clip_weights(folder, self._use_clip)
        else:
            processor = photo.photo_image_processor()
            tower = photo.load_vision_tower(folder)
            self._tower = photo.SharedPhotoTower(tower, photo.prepare_photo, processor.to_json_string())
        self._features: dict[ImageRef, NDArray[np.float32]] = {}

    def encode(self, refs: Iterable[ImageRef], image: Callable[[ImageRef], Image]) -> None:
        """Compute the features of images that are new."""
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._features]
        rows, _ = tower_features(image, self._tower, new)
        for ref, row in rows.items():
            feature = row[-1] if self._projection is None else row[-1] @ self._projection
            self._features[ref] = feature / np.linalg.norm(feature)

    def _use_clip(self, state: Mapping[str, Tensor]) -> None:
        self._tower = SharedTower(clip_vision_tower(state), _prepare, "fit")
        self._projection = state["visual.proj"].numpy()

    def most_similar(self, query: ImageRef, images: Sequence[ImageRef]) -> list[int]:
        """The places of the images with the highest cosine similarity to a query: several, if they are equally similar.

        All images must have been encoded.
        """
        similarities = [float(self[image] @ self[query]) for image in images]
        return [place for place, value in enumerate(similarities) if value == max(similarities)]

    def nearest(self, images: Sequence[ImageRef]) -> int | None:
        """Which image is most similar to the last one, counted from 1; None if there is none, or there are several."""
        if not images:
            return None
        *support, query = images
        places = self.most_similar(query, support)
        return places[0] + 1 if len(places) == 1 else None

    def __getitem__(self, ref: ImageRef) -> NDArray[np.float32]:
        """The feature (D,) of an encoded image, of unit length."""
        return self._features[ref]


def _prepare(image: Image) -> Tensor:
    fitted = ImageOps.fit(image.convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE))
    return pixels(np.array(fitted)[None])
