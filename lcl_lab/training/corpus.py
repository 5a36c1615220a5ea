"""What the vision encoder and the base model learn from: many looks, few images of each.

Groups of four look-alikes drawn from the whole factor space, so that telling them apart takes every
factor. Looks that models are evaluated on are left out; the known things of `isekai-mini` come in
under image numbers that no evaluation uses.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts import FACTORS, IMAGE_SIZE, Appearance, Box, random_appearance, render_with_box
from lcl_lab.concepts.world import TRAINING_IMAGES_FROM, held_out_appearances, known_things
from lcl_lab.progress import track

__all__ = ["GROUP", "Corpus", "plan_corpus", "render_all"]

GROUP = 4
_CHUNK = 250


@dataclass(frozen=True)
class Corpus:
    """Which images there are: image `numbers[i]` of `looks[i]`, a thing called `names[i]` or "".

    Rows 4i to 4i + 3 are look-alikes, but for the known things at the end.
    """

    looks: tuple[Appearance, ...]
    numbers: tuple[int, ...]
    names: tuple[str, ...]


def plan_corpus(seed: int, groups: int, images_of_known: int) -> Corpus:
    """`groups` groups of look-alikes, one image each, and some images of every known thing."""
    rng = np.random.default_rng([seed, 1])
    avoid = held_out_appearances()
    looks: list[Appearance] = []
    while len(looks) < GROUP * groups:
        group = [random_appearance(rng)]
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
    return Corpus(tuple(looks), tuple(numbers), tuple(names))


def render_all(what: Sequence[tuple[Appearance, int]], workers: int) -> tuple[NDArray[np.uint8], list[Box]]:
    """The images (N, H, W, 3) of (look, number) each and the boxes in them, rendered by `workers` processes."""
    out = np.empty((len(what), IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    boxes: list[Box] = []
    starts = range(0, len(what), _CHUNK)
    chunks = [what[start : start + _CHUNK] for start in starts]
    with ProcessPoolExecutor(workers, get_context("forkserver"), _end_with_parent) as pool:
        made = track(pool.map(_render, chunks), "rendering", len(chunks))
        for start, (images, around) in zip(starts, made, strict=True):
            out[start : start + len(images)] = images
            boxes += around
    return out, boxes


def _end_with_parent() -> None:
    """A process of a pool whose parent is killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _render(what: Sequence[tuple[Appearance, int]]) -> tuple[NDArray[np.uint8], list[Box]]:
    rendered = [render_with_box(look, number) for look, number in what]
    return np.stack([image for image, _ in rendered]), [box for _, box in rendered]
