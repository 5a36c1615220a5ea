"""Decodes image files of any kind to what a viewer shows: upright, 8 bits per channel, RGB on white."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from lcl_lab.errors import UserError

__all__ = ["read_image"]

_BACKGROUND = "white"


def read_image(path: Path, option: str | None = None, value: object = None) -> Image.Image:
    """Read an image file as a viewer would show it.

    The EXIF orientation is applied, 16-bit gray values are scaled to 8 bits, and transparent pixels become white.
    Of an animation, the first frame is read.

    Args:
        path: the image file.
        option: the option that names the dataset, for the error message.
        value: the value of the option.

    Returns:
        The image in mode RGB.

    Raises:
        UserError: the file cannot be read as an image.
    """
    try:
        with Image.open(path) as image:
            return _to_rgb(ImageOps.exif_transpose(image))
    # Besides OSError, damaged files raise SyntaxError and ValueError in Pillow's decoders.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image: {error}", option=option, value=value) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _gray_from_16_bits(image).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        background = Image.new("RGBA", rgba.size, _BACKGROUND)
        return Image.alpha_composite(background, rgba).convert("RGB")
    return image.convert("RGB")


def _gray_from_16_bits(image: Image.Image) -> Image.Image:
    """Pillow's own conversion clips instead of scaling, which makes nearly every pixel white."""
    values = np.asarray(image).astype(np.float64)
    return Image.fromarray(np.clip(np.rint(values / 257), 0, 255).astype(np.uint8))
