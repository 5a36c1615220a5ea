"""Shows a drawing as a photo would: some pose, size, place, light and blur, on some background."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

__all__ = ["SCENE_SIZE", "compose_scene"]

SCENE_SIZE = 224
"""Pixels a side."""
_LIGHT = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def compose_scene(drawing: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Put a drawing into a random scene.

    Args:
        drawing: a square drawing in RGBA, which may be turned by up to 25 degrees and cut off a little.
        rng: the random generator.

    Returns:
        RGB, 224 × 224 pixels.
    """
    side = int(SCENE_SIZE * rng.uniform(0.55, 0.95))
    posed = drawing.resize((side, side), Image.Resampling.BICUBIC)
    posed = posed.rotate(float(rng.uniform(-25, 25)), Image.Resampling.BICUBIC, expand=True)
    scene = _background(rng)
    scene.paste(posed, (_offset(rng, posed.width), _offset(rng, posed.height)), posed)
    for enhancer in _LIGHT:
        scene = enhancer(scene).enhance(float(rng.uniform(0.7, 1.3)))
    if rng.random() < 0.3:
        scene = scene.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2))))
    return scene


def _offset(rng: np.random.Generator, length: int) -> int:
    """Where a drawing starts; one that turning has made larger than the scene is cut off on either side."""
    room = SCENE_SIZE - length
    return int(rng.uniform(min(0, room), max(0, room)))


def _background(rng: np.random.Generator) -> Image.Image:
    """A pale colour, any colour, a gradient of four, or soft blotches."""
    kind = rng.integers(4)
    if kind < 2:
        colour = rng.integers(200 if kind == 0 else 0, 256, 3)
        return Image.new("RGB", (SCENE_SIZE, SCENE_SIZE), tuple(int(value) for value in colour))
    cells = 2 if kind == 2 else int(rng.integers(3, 9))
    colours = (rng.integers(0, 256, (cells, cells, 3)) + rng.integers(0, 256, 3)) // 2
    return Image.fromarray(colours.astype(np.uint8)).resize((SCENE_SIZE, SCENE_SIZE), Image.Resampling.BICUBIC)
