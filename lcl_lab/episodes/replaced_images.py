"""References to images that replace others: grey, black and white ones, and noise of the same size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b

import numpy as np
from PIL import Image

from lcl_lab.concepts import ImageRef

__all__ = ["CONTENT_FREE", "blank", "content_free", "name_without_replacement", "noise", "with_replacements"]

_BLANK, _NOISE = "blank:", "noise:"
_COLOURS = {_BLANK: (128, 128, 128), "black:": (0, 0, 0), "white:": (255, 255, 255)}
CONTENT_FREE: Mapping[str, str] = {"grey": _BLANK, "black": "black:", "white": "white:", "noise": _NOISE}
"""The images without content by name, each with the prefix of its references."""
ImageSource = Callable[[ImageRef], Image.Image]


def blank(ref: ImageRef) -> ImageRef:
    """A reference to a grey image of the size of another one."""
    return ref._replace(data=_BLANK + ref.data)


def noise(ref: ImageRef) -> ImageRef:
    """A reference to an image of random pixels of the size of another one; the same for the same image."""
    return ref._replace(data=_NOISE + ref.data)


def content_free(ref: ImageRef, name: str) -> ImageRef:
    """A reference to an image without content of the size of another one, which may itself be replaced.

    Args:
        ref: the other image.
        name: a key of `CONTENT_FREE`.
    """
    return ref._replace(data=CONTENT_FREE[name] + name_without_replacement(ref.data))


def name_without_replacement(name: str) -> str:
    """The name of the dataset that a reference's `data` is about, which may be that of a replaced image."""
    for prefix in CONTENT_FREE.values():
        name = name.removeprefix(prefix)
    return name


def with_replacements(image: ImageSource) -> ImageSource:
    """What returns images, and those that replace them.

    Args:
        image: returns the image of a reference that is not replaced, such as the method of a dataset.
    """

    def replaced(ref: ImageRef) -> Image.Image:
        for prefix in CONTENT_FREE.values():
            if ref.data.startswith(prefix):
                size = image(ref._replace(data=ref.data.removeprefix(prefix))).size
                return _noise_image(size, ref) if prefix == _NOISE else Image.new("RGB", size, _COLOURS[prefix])
        return image(ref)

    return replaced


def _noise_image(size: tuple[int, int], ref: ImageRef) -> Image.Image:
    seed = int.from_bytes(blake2b(str(ref).encode(), digest_size=8).digest())
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)
