"""References to images that replace others: grey ones and noise of the same size."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from PIL import Image

from lcl_lab.concepts import ImageRef

__all__ = ["blank", "name_without_replacement", "noise", "with_replacements"]

_BLANK, _NOISE = "blank:", "noise:"
_GREY = (128, 128, 128)
ImageSource = Callable[[ImageRef], Image.Image]


def blank(ref: ImageRef) -> ImageRef:
    """A reference to a grey image of the size of another one."""
    return ref._replace(data=_BLANK + ref.data)


def noise(ref: ImageRef) -> ImageRef:
    """A reference to an image of random pixels of the size of another one; the same for the same image."""
    return ref._replace(data=_NOISE + ref.data)


def name_without_replacement(name: str) -> str:
    """The name of the dataset that a reference's `data` is about, which may be that of a replaced image."""
    return name.removeprefix(_BLANK).removeprefix(_NOISE)


def with_replacements(image: ImageSource) -> ImageSource:
    """What returns images, and those that replace them.

    Args:
        image: returns the image of a reference that is not replaced, such as the method of a dataset.
    """

    def replaced(ref: ImageRef) -> Image.Image:
        for prefix, replacement in ((_BLANK, _blank_image), (_NOISE, _noise_image)):
            if ref.data.startswith(prefix):
                return replacement(image(ref._replace(data=ref.data.removeprefix(prefix))).size, ref)
        return image(ref)

    return replaced


def _blank_image(size: tuple[int, int], ref: ImageRef) -> Image.Image:
    return Image.new("RGB", size, _GREY)


def _noise_image(size: tuple[int, int], ref: ImageRef) -> Image.Image:
    seed = int.from_bytes(blake2b(str(ref).encode(), digest_size=8).digest())
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)
