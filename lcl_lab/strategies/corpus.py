"""What the vision encoder and the base model learn from: many looks, few images of each.

Groups of four look-alikes drawn from the whole factor space, so that telling them apart takes every
factor. Looks that models are evaluated on are left out; the known things of `isekai-mini` come in
under image numbers that no evaluation uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from lcl_lab.concepts import FACTORS, IMAGE_SIZE, Look, random_look, render
from lcl_lab.concepts.world import TRAINING_IMAGES_FROM, held_out_looks, known_things

__all__ = ["GROUP", "Corpus", "make_corpus", "render_all"]

GROUP = 4
_CHUNK = 250


@dataclass(frozen=True)
class Corpus:
    """Images uint8 (N, H, W, 3) with their looks and names; "" where a look has none.

    Rows 4i to 4i + 3 are look-alikes, but for the known things at the end.
    """

    images: NDArray[np.uint8]
    looks: tuple[Look, ...]
    names: tuple[str, ...]


def make_corpus(seed: int, groups: int, images_of_known: int, workers: int) -> Corpus:
    """`groups` groups of look-alikes, one image each, and some images of every known thing."""
    rng = np.random.default_rng([seed, 1])
    avoid = held_out_looks()
    looks: list[Look] = []
    while len(looks) < GROUP * groups:
        group = [random_look(rng)]
        while len(group) < GROUP:
            factors = rng.choice(list(FACTORS), size=rng.integers(1, 3), replace=False)
            relative = group[0].vary(rng, tuple(map(str, factors)))
            if relative not in group:
                group.append(relative)
        if avoid.isdisjoint(group):
            looks += group
    names = [""] * len(looks)
    numbers = list(range(len(looks)))
    for name, look in known_things().items():
        looks += [look] * images_of_known
        names += [name] * images_of_known
        numbers += range(TRAINING_IMAGES_FROM, TRAINING_IMAGES_FROM + images_of_known)
    images = render_all(list(zip(looks, numbers, strict=True)), workers)
    return Corpus(images, tuple(looks), tuple(names))


def render_all(what: Sequence[tuple[Look, int]], workers: int) -> NDArray[np.uint8]:
    """The images (N, H, W, 3) of (look, number) each, rendered by `workers` processes."""
    out = np.empty((len(what), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    starts = range(0, len(what), _CHUNK)
    chunks = [what[start : start + _CHUNK] for start in starts]
    with ProcessPoolExecutor(workers) as pool:
        for start, images in zip(starts, track(pool.map(_render, chunks), "rendering", len(chunks)), strict=True):
            out[start : start + len(images)] = images
    return out


def _render(what: Sequence[tuple[Look, int]]) -> NDArray[np.uint8]:
    return np.stack([render(look, number) for look, number in what])
