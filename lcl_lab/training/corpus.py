"""The images that the vision encoder and the base model learn from: many appearances, few images of each.

Groups of four look-alikes are drawn from the whole factor space, so that every factor is needed to distinguish them.
Appearances that models are evaluated on are left out. The known objects of `isekai-mini` are included under image
numbers that no evaluation uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import FACTORS, IMAGE_SIZE, Appearance, Box, random_appearance, render_with_box
from lcl_lab.concepts.world import FIRST_TRAINING_IMAGE, held_out_appearances, known_appearances
from lcl_lab.progress import track
from lcl_lab.worker_pool import map_in_processes

__all__ = ["GROUP", "Corpus", "plan_corpus", "render_all"]

GROUP = 4
"""Look-alikes in a group."""
_CHUNK = 250


@dataclass(frozen=True)
class Corpus:
    """A list of images to render; rows 4i to 4i + 3 are look-alikes, except for the known objects at the end.

    Attributes:
        appearances: what each image shows.
        numbers: the number of each image among those of its appearance.
        names: the name of the object, or "" for an object without one.
    """

    appearances: tuple[Appearance, ...]
    numbers: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def images(self) -> list[tuple[Appearance, int]]:
        """Appearance and number of each image."""
        return list(zip(self.appearances, self.numbers, strict=True))


def plan_corpus(seed: int, groups: int, known_images: int) -> Corpus:
    """Draw the images of a corpus.

    Args:
        seed: random seed.
        groups: number of groups of look-alikes, with one image of each.
        known_images: number of images of each known object.
    """
    rng = np.random.default_rng([seed, 1])
    avoid = held_out_appearances()
    appearances: list[Appearance] = []
    while len(appearances) < GROUP * groups:
        group = [random_appearance(rng)]
        while len(group) < GROUP:
            factors = rng.choice(list(FACTORS), size=rng.integers(1, 3), replace=False)
            relative = group[0].vary(rng, tuple(map(str, factors)))
            if relative not in group:
                group.append(relative)
        if avoid.isdisjoint(group):
            appearances += group
    names = [""] * len(appearances)
    numbers = list(range(len(appearances)))
    for name, appearance in known_appearances().items():
        appearances += [appearance] * known_images
        names += [name] * known_images
        numbers += range(FIRST_TRAINING_IMAGE, FIRST_TRAINING_IMAGE + known_images)
    return Corpus(tuple(appearances), tuple(numbers), tuple(names))


def render_all(images: Sequence[tuple[Appearance, int]], workers: int) -> tuple[NDArray[np.uint8], list[Box]]:
    """Render images in parallel, with a progress bar.

    Args:
        images: appearance and number of each of the B images.
        workers: number of processes; does not change the result.

    Returns:
        The images (B, H, W, 3), and the bounding box of the object in each.
    """
    pixels = np.empty((len(images), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    boxes: list[Box] = []
    starts = range(0, len(images), _CHUNK)
    chunks = [images[start : start + _CHUNK] for start in starts]
    with map_in_processes(_render, chunks, workers=workers) as rendered:
        for start, (chunk, chunk_boxes) in zip(starts, track(rendered, "rendering", len(chunks)), strict=True):
            pixels[start : start + len(chunk)] = chunk
            boxes += chunk_boxes
    return pixels, boxes


def _render(images: Sequence[tuple[Appearance, int]]) -> tuple[NDArray[np.uint8], list[Box]]:
    rendered = [render_with_box(appearance, number) for appearance, number in images]
    return np.stack([image for image, _ in rendered]), [box for _, box in rendered]
