"""Where features of a dataset's images are kept between runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lcl_lab import concepts
from lcl_lab.models.feature_store import FeatureStore
from lcl_lab.source_code import version_digest

if TYPE_CHECKING:
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef
    from lcl_lab.models.shared_images import VisionTower

__all__ = ["stored_features"]

_CODE = ("concepts/*.py", "models/mini/*.py")  # what renders the images, and what encodes them


def stored_features(image: Callable[[ImageRef], Image]) -> Callable[[VisionTower, str, ImageRef], FeatureStore | None]:
    """What returns the store of an image of an embedded world, and None for others, whose content only they show.

    Args:
        image: the method of the dataset that returns an image.
    """
    world = getattr(image, "__self__", None)
    if not isinstance(world, concepts.World) or image != world.image:
        return lambda *_: None
    name, content = world.name, f"{world.fingerprint}/{version_digest(*_CODE)}"
    stores: dict[str, FeatureStore] = {}

    def store(tower: VisionTower, key: str, ref: ImageRef) -> FeatureStore | None:
        if ref.data != name:  # one that replaces an image
            return None
        if key not in stores:
            stores[key] = FeatureStore(f"{content}/{key}", tower.shape)
        return stores[key]

    return store
