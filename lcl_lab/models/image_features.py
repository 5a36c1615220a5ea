"""Features of single images under a CLIP, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lcl_lab.models.clip_registry import load_clip_by_name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from lcl_lab.concepts import ImageRef

__all__ = ["ImageFeatures"]


class ImageFeatures:
    """Encodes images with a CLIP and remembers their features.

    Args:
        clip: the name of the CLIP, such as `mini/prototype` or `MODEL:PRETRAINED` of open_clip.
        image: returns an image in RGB.

    Attributes:
        fingerprint: changes whenever the features change.

    Raises:
        UserError: there is no such CLIP.
    """

    def __init__(self, clip: str, image: Callable[[ImageRef], Image]) -> None:
        self._clip, self._image = load_clip_by_name(clip), image
        self._features: dict[ImageRef, NDArray[np.float32]] = {}
        self.fingerprint = self._clip.fingerprint

    def encode(self, refs: Iterable[ImageRef]) -> None:
        """Compute the features of images that are new, in batches."""
        new = [ref for ref in dict.fromkeys(refs) if ref not in self._features]
        if new:
            self._features |= dict(zip(new, self._clip.encode_images([self._image(ref) for ref in new]), strict=True))

    def __call__(self, ref: ImageRef) -> NDArray[np.float32]:
        """The feature (D,) of an image, of unit length."""
        if ref not in self._features:
            self.encode([ref])
        return self._features[ref]
