"""The images of a study, which its models share: each is loaded once, and encoded once by each vision tower."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from cachetools import LRUCache

from lcl_lab.concepts import ImageRef
from lcl_lab.models.feature_store import FeatureStore, Row

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["SharedImages", "VisionTower", "tower_features"]

_IMAGE_BYTES = 128 << 20  # maximum size of the loaded images in memory
_FEATURE_BYTES = 256 << 20  # maximum size of the features in memory
_BATCH = 64


class VisionTower(Protocol):
    """A frozen vision encoder, without what a model learned on top of it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the features of one image."""

    @property
    def keys(self) -> Sequence[str]:
        """What the features of an image may be known under; equal for all towers that give it the same features."""

    def encode(self, images: Sequence[Image]) -> Iterable[tuple[str, Row]]:
        """The features of images in RGB, and for each the one of `keys` that applies to it."""


class SharedImages:
    """Returns images, as the method of a dataset does, and remembers them and their features.

    Both memories are bounded; what was used least recently is forgotten.

    Args:
        image: returns an image in RGB.
        store: returns where a tower's features under a key are kept between runs; None where an image has no lasting
            identity.

    Attributes:
        images_loaded: number of calls of `image`.
        images_encoded: number of images that went through a vision tower.
    """

    def __init__(
        self, image: Callable[[ImageRef], Image], store: Callable[[VisionTower, str, ImageRef], FeatureStore | None]
    ) -> None:
        self._image, self._store = image, store
        self.images_loaded = self.images_encoded = 0
        self._images: LRUCache[ImageRef, Image] = LRUCache(_IMAGE_BYTES, lambda one: one.width * one.height * 3)
        self._rows: LRUCache[tuple[str, ImageRef], Row] = LRUCache(_FEATURE_BYTES, lambda row: row.nbytes)
        self._lock = Lock()  # clients of a server load images in several threads

    def __call__(self, ref: ImageRef) -> Image:
        """The image of a reference; a copy, which the caller may change."""
        with self._lock:
            known = self._images.get(ref)
        if known is not None:
            return known.copy()
        image = self._image(ref)
        with self._lock:
            self.images_loaded += 1
            if image.width * image.height * 3 <= _IMAGE_BYTES:
                self._images[ref] = image.copy()
        return image

    def features(self, tower: VisionTower, refs: Iterable[ImageRef]) -> dict[ImageRef, Row]:
        """The features of images under a vision tower; repeated references are encoded once."""
        rows: dict[ImageRef, Row] = {}
        missing = []
        for ref in dict.fromkeys(refs):
            known = self._known(tower, ref)
            if known is None:
                missing.append(ref)
            else:
                rows[ref] = known
        for start in range(0, len(missing), _BATCH):
            rows |= self._encode(tower, missing[start : start + _BATCH])
        return rows

    def _known(self, tower: VisionTower, ref: ImageRef) -> Row | None:
        for key in tower.keys:
            row = self._rows.get((key, ref))
            if row is not None:
                return row
            store = self._store(tower, key, ref)
            row = None if store is None else store.get(ref)
            if row is not None:
                self._rows[key, ref] = row
                return row
        return None

    def _encode(self, tower: VisionTower, refs: Sequence[ImageRef]) -> Mapping[ImageRef, Row]:
        rows: dict[ImageRef, Row] = {}
        new: dict[FeatureStore, dict[ImageRef, Row]] = {}
        for ref, (key, row) in zip(refs, tower.encode([self(ref) for ref in refs]), strict=True):
            rows[ref] = self._rows[key, ref] = row
            store = self._store(tower, key, ref)
            if store is not None:
                new.setdefault(store, {})[ref] = row
        for store, of_store in new.items():
            store.put(of_store)
        self.images_encoded += len(rows)
        return rows


def tower_features(
    image: Callable[[ImageRef], Image], tower: VisionTower, refs: Iterable[ImageRef]
) -> tuple[dict[ImageRef, Row], int]:
    """The features of images under a vision tower, shared with other models where the images are.

    Args:
        image: returns an image in RGB; `SharedImages`, or any function.
        tower: the vision tower.
        refs: the images.

    Returns:
        The features by image, and how many images had to be encoded for them.
    """
    shared = image if isinstance(image, SharedImages) else SharedImages(image, lambda *_: None)
    before = shared.images_encoded
    return shared.features(tower, refs), shared.images_encoded - before
