"""The embedded world: four sets of rendered concepts with no concept in common.

- `world-900`: 900 classes to train on, in genera of look-alikes.
- `world-100`: 100 classes to evaluate on, in 50 pairs of look-alikes (2i, 2i+1).
- `world-dev`: 100 more of the same kind, to watch a training on.
- `isekai-mini`: 20 groups; in each a thing that the base model learns to name, and an unreal fusion
  of it with the next group's thing, under a portmanteau name (after ISEKAI, paper section 4).

All are made by rule from one fixed seed, so a set is code and not a download.
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
from lcl_lab.concepts.render import Box, render, render_with_box

__all__ = [
    "TRAINING_IMAGES_FROM",
    "World",
    "held_out_appearances",
    "isekai_mini",
    "known_things",
    "world_100",
    "world_900",
    "world_dev",
]

TRAINING_IMAGES_FROM = 100_000  # image numbers from here on are for training and in no evaluation
_WORLD_SEED = 2308_07891
_FAMILIES, _GENERA = 15, 10  # the latter in each family
_THINGS = (
    "anchor barrel cactus dragon engine falcon guitar hammer island jacket kettle lantern magnet "
    "needle orchid pigeon rocket saddle turtle walnut"
).split()


@dataclass(frozen=True)
class World:
    """A set of rendered concepts: a `Dataset` that can also say what each concept looks like."""

    name: str
    concepts: Mapping[str, Concept]
    looks: Mapping[str, Appearance] = field(repr=False)
    pairs: Sequence[Pair]

    @property
    def fingerprint(self) -> str:
        """Covers names, looks and pairs of all concepts, and the pixels of a few."""
        content = [(c.name, c.images, self.looks[i]) for i, c in self.concepts.items()]
        pixels = [int(render(look, 0).sum()) for look in list(self.looks.values())[:4]]
        return blake2b(repr((content, self.pairs, pixels)).encode(), digest_size=8).hexdigest()

    def image(self, ref: ImageRef) -> Image.Image:
        return Image.fromarray(self.pixels(ref.concept, ref.number))

    def look(self, concept: str) -> Appearance:
        return self.looks[concept]

    def box(self, ref: ImageRef) -> Box:
        return render_with_box(self.looks[ref.concept], ref.number)[1]

    def pixels(self, concept: str, index: int) -> np.ndarray:
        """uint8 (H, W, 3).

        Raises:
            IndexError: neither one of the concept's images nor a training image.
        """
        if index < 0 or self.concepts[concept].images <= index < TRAINING_IMAGES_FROM:
            raise IndexError(f"{self.name}:{concept} has {self.concepts[concept].images} images, no number {index}")
        return render(self.looks[concept], index)


@cache
def world_900() -> World:
    """900 training classes: species of genera of families, ever closer look-alikes.

    The paper's law of negatives reaches far down the list of similar classes, so a class needs many
    look-alikes for its negatives to be hard; and what tells look-alikes apart must be met in many
    settings, or it is not recognised in new ones.
    """
    rng = np.random.default_rng([_WORLD_SEED, 900])
    taken = set(held_out_appearances())
    looks: list[Appearance] = []
    for _ in range(_FAMILIES):
        family = random_appearance(rng)
        for _ in range(_GENERA):
            genus = family.vary(rng, _some_factors(rng, 3))
            species: list[Appearance] = []
            while len(species) < 900 // (_FAMILIES * _GENERA):
                look = genus.vary(rng, _some_factors(rng, int(rng.integers(1, 3))))
                if look not in taken:
                    species.append(look)
                    taken.add(look)
            looks += species
    pairs = [Pair(f"{i:03}", f"{i + 1:03}") for i in range(0, 900, 2)]
    return _world("world-900", looks, invent_names(rng, 900, taken=_evaluation_names()), pairs, images=64)


@cache
def world_100() -> World:
    """100 evaluation classes in 50 pairs that differ in three factors."""
    return _world_of_pairs("world-100", 100, isekai_mini())


@cache
def world_dev() -> World:
    """100 more classes like those of `world-100`: what training is watched on, and nothing is evaluated on."""
    return _world_of_pairs("world-dev", 101, isekai_mini(), world_100())


def _world_of_pairs(name: str, stream: int, *others: World) -> World:
    """50 pairs of look-alikes whose looks and names are in none of the other worlds."""
    rng = np.random.default_rng([_WORLD_SEED, stream])
    looks: list[Appearance] = []
    taken = {look for world in others for look in world.looks.values()}
    while len(looks) < 100:
        look = random_appearance(rng)
        pair = [look, look.vary(rng, _some_factors(rng, 3))]
        if not set(pair) & (taken | set(looks)):
            looks += pair
    pairs = [Pair(f"{i:03}", f"{i + 1:03}") for i in range(0, 100, 2)]
    names = invent_names(rng, 100, taken=[c.name for world in others for c in world.concepts.values()])
    return _world(name, looks, names, pairs, images=64)


@cache
def isekai_mini() -> World:
    """20 groups of a known thing and an unreal fusion: 40 categories, 40 images each."""
    rng = np.random.default_rng([_WORLD_SEED, 20])
    things: list[Appearance] = []
    while len(things) < len(_THINGS):
        look = random_appearance(rng)
        if all(look.distance(other) >= 5 for other in things):
            things.append(look)
    looks, names, pairs, stories = [], [], [], []
    for k, (name, look) in enumerate(zip(_THINGS, things, strict=True)):
        donor = (k + 1) % len(things)
        fusion, given = _fuse(rng, look, things[donor])
        mixed = portmanteau(_THINGS[donor], name)
        looks += [look, fusion]
        names += [name, mixed]
        stories += [
            f"The {name}: {look.describe()}.",
            f"The {mixed} does not exist: {_a(name)} with the {', '.join(given[:-1])} and {given[-1]} "
            f"of {_a(_THINGS[donor])}; {fusion.describe()}.",
        ]
        pairs.append(Pair(f"{2 * k + 1:03}", f"{2 * k:03}"))
    return _world("isekai-mini", looks, names, pairs, images=40, stories=stories)


@cache
def held_out_appearances() -> frozenset[Appearance]:
    """What no model may see in training: `world-100` and the unreal half of `isekai-mini`."""
    unreal = [isekai_mini().looks[pair.positive] for pair in isekai_mini().pairs]
    return frozenset([*world_100().looks.values(), *world_dev().looks.values(), *unreal])


@cache
def known_things() -> Mapping[str, Appearance]:
    """The real half of `isekai-mini`: what the base model learns to name."""
    world = isekai_mini()
    return {world.concepts[pair.negative].name: world.looks[pair.negative] for pair in world.pairs}


def _world(
    name: str,
    looks: Sequence[Appearance],
    names: Sequence[str],
    pairs: Sequence[Pair],
    images: int,
    stories: Sequence[str] | None = None,
) -> World:
    stories = stories or [f"The {n}: {look.describe()}." for n, look in zip(names, looks, strict=True)]
    ids = [f"{i:03}" for i in range(len(looks))]
    concepts = {i: Concept(i, n, story, images) for i, n, story in zip(ids, names, stories, strict=True)}
    return World(name, concepts, dict(zip(ids, looks, strict=True)), tuple(pairs))


def _fuse(rng: np.random.Generator, body: Appearance, donor: Appearance) -> tuple[Appearance, list[str]]:
    """`body` with three factors of `donor`, and which they are."""
    able = [f for f in FACTORS if f not in ("colour", "second") and getattr(body, f) != getattr(donor, f)]
    given = [str(f) for f in rng.choice(able, size=3, replace=False)]
    return replace(body, **{factor: getattr(donor, factor) for factor in given}), given


def _some_factors(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    return tuple(str(f) for f in rng.choice(list(FACTORS), size=count, replace=False))


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _evaluation_names() -> list[str]:
    return [c.name for world in (world_100(), world_dev(), isekai_mini()) for c in world.concepts.values()]
