"""The embedded world: four datasets of rendered concepts that have no concept in common.

- `world-900`: 900 concepts for training, in genera of look-alikes.
- `world-100`: 100 concepts for evaluation, in 50 pairs of look-alikes (2i, 2i+1).
- `world-dev`: 100 more of the same kind, for monitoring a training.
- `isekai-mini`: 20 pairs of a known concept, which the base model learns to name, and an unreal one: its fusion with
  the known concept of the next pair, under a portmanteau name (after ISEKAI, paper section 4).

All are generated from one fixed seed; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b

import numpy as np
from PIL import Image

from lcl_lab.concepts.appearance import FACTORS, Appearance, random_appearance
from lcl_lab.concepts.dataset import Concept, ImageRef, Pair
from lcl_lab.concepts.names import invent_names, portmanteau
from lcl_lab.concepts.renderer import Box, render, render_with_box

__all__ = [
    "FIRST_TRAINING_IMAGE",
    "World",
    "held_out_appearances",
    "isekai_mini",
    "known_appearances",
    "world_100",
    "world_900",
    "world_dev",
]

FIRST_TRAINING_IMAGE = 100_000
"""Images with this number and above are for training only."""
_WORLD_SEED = 2308_07891
_FAMILIES, _GENERA = 15, 10  # genera per family
_KNOWN_NAMES = (
    "anchor barrel cactus dragon engine falcon guitar hammer island jacket kettle lantern magnet "
    "needle orchid pigeon rocket saddle turtle walnut"
).split()


@dataclass(frozen=True)
class World:
    """A `Dataset` of rendered concepts, which also knows the appearance of each concept.

    Attributes:
        name: the name of the dataset.
        concepts: the concepts by id.
        appearances: the appearance of each concept, by id.
        pairs: pairs of look-alikes.
    """

    name: str
    concepts: Mapping[str, Concept]
    appearances: Mapping[str, Appearance] = field(repr=False)
    pairs: Sequence[Pair]

    @property
    def fingerprint(self) -> str:
        """Covers names, appearances and pairs of all concepts, and the pixels of four of them."""
        content = [(c.name, c.images, _Verbatim(self.appearances[i])) for i, c in self.concepts.items()]
        pixels = [int(render(appearance, 0).sum()) for appearance in list(self.appearances.values())[:4]]
        return blake2b(repr((content, self.pairs, pixels)).encode(), digest_size=8).hexdigest()

    def image(self, ref: ImageRef) -> Image.Image:
        """The image in RGB, 64 × 64 pixels.

        Raises:
            IndexError: the concept has no image of that number.
        """
        return Image.fromarray(self.pixels(ref.concept, ref.number))

    def appearance(self, concept: str) -> Appearance:
        """The appearance of a concept, by its id."""
        return self.appearances[concept]

    def look_alikes(self, pair: Pair) -> list[str]:
        """All other concepts, those first that differ from the two of a pair in the fewest factors.

        Equally close ones are in the order of the concepts after the pair, so that pairs differ in their look-alikes.
        """
        two = [self.appearances[id] for id in pair]
        ids = list(self.concepts)
        start = ids.index(pair.positive)
        others = [id for id in ids[start:] + ids[:start] if id not in pair]
        return sorted(others, key=lambda id: sum(self.appearances[id].distance(one) for one in two))

    def box(self, ref: ImageRef) -> Box:
        """The bounding box of the object in an image."""
        return render_with_box(self.appearances[ref.concept], ref.number)[1]

    def pixels(self, concept: str, index: int) -> np.ndarray:
        """An image as an array, uint8 (H, W, 3).

        Raises:
            IndexError: the number is neither one of the concept's images nor that of a training image.
        """
        if index < 0 or self.concepts[concept].images <= index < FIRST_TRAINING_IMAGE:
            raise IndexError(f"{self.name}:{concept} has {self.concepts[concept].images} images, no number {index}")
        return render(self.appearances[concept], index)


class _Verbatim:
    """An appearance in the text that fingerprints of worlds have always used, whatever its class is called.

    Runs and model cards refer to these fingerprints, so they must not change with a name in the code.
    """

    def __init__(self, appearance: Appearance) -> None:
        self._text = ", ".join(f"{factor}={getattr(appearance, factor)!r}" for factor in FACTORS)

    def __repr__(self) -> str:
        return f"Look({self._text})"


@cache
def world_900() -> World:
    """900 concepts for training: families contain genera, and genera contain species, which are close look-alikes.

    The paper draws negatives from far down the list of similar concepts, so a concept needs many look-alikes for its
    negatives to be hard. The differences between look-alikes must also occur in many settings to be recognised in
    new ones.
    """
    rng = np.random.default_rng([_WORLD_SEED, 900])
    taken = set(held_out_appearances())
    appearances: list[Appearance] = []
    for _ in range(_FAMILIES):
        family = random_appearance(rng)
        for _ in range(_GENERA):
            genus = family.vary(rng, _draw_factors(rng, 3))
            species: list[Appearance] = []
            while len(species) < 900 // (_FAMILIES * _GENERA):
                appearance = genus.vary(rng, _draw_factors(rng, int(rng.integers(1, 3))))
                if appearance not in taken:
                    species.append(appearance)
                    taken.add(appearance)
            appearances += species
    pairs = [Pair(f"{i:03}", f"{i + 1:03}") for i in range(0, 900, 2)]
    return _world("world-900", appearances, invent_names(rng, 900, taken=_evaluation_names()), pairs, images=64)


@cache
def world_100() -> World:
    """100 concepts for evaluation, in 50 pairs that differ in three factors."""
    return _world_of_pairs("world-100", 100, isekai_mini())


@cache
def world_dev() -> World:
    """100 more concepts like those of `world-100`, for monitoring a training; no study evaluates on them."""
    return _world_of_pairs("world-dev", 101, isekai_mini(), world_100())


def _world_of_pairs(name: str, stream: int, *others: World) -> World:
    """50 pairs of look-alikes whose appearances and names are in none of the other worlds."""
    rng = np.random.default_rng([_WORLD_SEED, stream])
    appearances: list[Appearance] = []
    taken = {appearance for world in others for appearance in world.appearances.values()}
    while len(appearances) < 100:
        appearance = random_appearance(rng)
        pair = [appearance, appearance.vary(rng, _draw_factors(rng, 3))]
        if not set(pair) & (taken | set(appearances)):
            appearances += pair
    pairs = [Pair(f"{i:03}", f"{i + 1:03}") for i in range(0, 100, 2)]
    names = invent_names(rng, 100, taken=[c.name for world in others for c in world.concepts.values()])
    return _world(name, appearances, names, pairs, images=64)


@cache
def isekai_mini() -> World:
    """20 pairs of a known concept and its unreal fusion with another: 40 concepts with 40 images each."""
    rng = np.random.default_rng([_WORLD_SEED, 20])
    known: list[Appearance] = []
    while len(known) < len(_KNOWN_NAMES):
        appearance = random_appearance(rng)
        if all(appearance.distance(other) >= 5 for other in known):
            known.append(appearance)
    appearances, names, pairs, descriptions = [], [], [], []
    for k, (name, appearance) in enumerate(zip(_KNOWN_NAMES, known, strict=True)):
        donor = (k + 1) % len(known)
        fusion, inherited = _fuse(rng, appearance, known[donor])
        mixed = portmanteau(_KNOWN_NAMES[donor], name)
        appearances += [appearance, fusion]
        names += [name, mixed]
        descriptions += [
            f"The {name}: {appearance.describe()}.",
            f"The {mixed} does not exist: {_a(name)} with the {', '.join(inherited[:-1])} and {inherited[-1]} "
            f"of {_a(_KNOWN_NAMES[donor])}; {fusion.describe()}.",
        ]
        pairs.append(Pair(f"{2 * k + 1:03}", f"{2 * k:03}"))
    return _world("isekai-mini", appearances, names, pairs, images=40, descriptions=descriptions)


@cache
def held_out_appearances() -> frozenset[Appearance]:
    """Appearances that no model may see in training: `world-100`, `world-dev` and the unreal half of `isekai-mini`."""
    unreal = [isekai_mini().appearances[pair.positive] for pair in isekai_mini().pairs]
    return frozenset([*world_100().appearances.values(), *world_dev().appearances.values(), *unreal])


@cache
def known_appearances() -> Mapping[str, Appearance]:
    """The real half of `isekai-mini`, which the base model learns to name: appearances by name."""
    world = isekai_mini()
    return {world.concepts[pair.negative].name: world.appearances[pair.negative] for pair in world.pairs}


def _world(
    name: str,
    appearances: Sequence[Appearance],
    names: Sequence[str],
    pairs: Sequence[Pair],
    images: int,
    descriptions: Sequence[str] | None = None,
) -> World:
    descriptions = descriptions or [
        f"The {n}: {appearance.describe()}." for n, appearance in zip(names, appearances, strict=True)
    ]
    ids = [f"{i:03}" for i in range(len(appearances))]
    concepts = {
        i: Concept(i, n, description, images) for i, n, description in zip(ids, names, descriptions, strict=True)
    }
    return World(name, concepts, dict(zip(ids, appearances, strict=True)), tuple(pairs))


def _fuse(rng: np.random.Generator, body: Appearance, donor: Appearance) -> tuple[Appearance, list[str]]:
    """`body` with three factors of `donor`, and the names of these factors."""
    candidates = [f for f in FACTORS if f not in ("colour", "second") and getattr(body, f) != getattr(donor, f)]
    inherited = [str(f) for f in rng.choice(candidates, size=3, replace=False)]
    return replace(body, **{factor: getattr(donor, factor) for factor in inherited}), inherited


def _draw_factors(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    return tuple(str(f) for f in rng.choice(list(FACTORS), size=count, replace=False))


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _evaluation_names() -> list[str]:
    return [c.name for world in (world_100(), world_dev(), isekai_mini()) for c in world.concepts.values()]
