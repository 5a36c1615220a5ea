"""The factor space of the embedded world: what a concept looks like, as data and in words.

An `Appearance` fixes seven factors, which are all that distinguishes two concepts. Everything else (pose, position,
light, background, clutter, occlusion) varies from image to image; see `lcl_lab.concepts.renderer`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from hashlib import blake2b

import numpy as np

__all__ = ["COLOURS", "FACTORS", "Appearance", "description_words", "random_appearance"]

COLOURS = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (250, 222, 60),
    "green": (46, 160, 67),
    "cyan": (60, 200, 210),
    "blue": (40, 80, 200),
    "pink": (240, 130, 190),
    "white": (240, 240, 235),
}
"""RGB values from 0 to 255."""

FACTORS: dict[str, tuple[str, ...]] = {
    "silhouette": (
        "disc",
        "box",
        "triangle",
        "pentagon",
        "star",
        "cross",
        "heart",
        "crescent",
        "drop",
        "ring",
        "flower",
        "gem",
    ),
    "pattern": ("plain", "striped", "dotted", "checked", "banded", "zigzag", "halved", "netted"),
    "colour": tuple(COLOURS),
    "second": tuple(COLOURS),
    "part": ("horn", "knob", "spine", "leaf", "block", "loop", "claw", "fan"),
    "count": ("one", "two", "three", "four"),
    "placement": ("on top", "on its sides", "below", "all around"),
}
"""The values of every factor. `part`, `count` and `placement` describe the parts attached to the body."""


@dataclass(frozen=True, order=True)
class Appearance:
    """A point of the factor space, with one value of `FACTORS` per factor. `colour` and `second` always differ.

    Raises:
        ValueError: a factor has a value outside `FACTORS`, or both colours are the same.
    """

    silhouette: str
    pattern: str
    colour: str
    second: str
    part: str
    count: str
    placement: str

    def __post_init__(self) -> None:
        for factor, values in FACTORS.items():
            if getattr(self, factor) not in values:
                raise ValueError(f"{factor} is {getattr(self, factor)!r}, not one of {values}")
        if self.colour == self.second:
            raise ValueError(f"both colours are {self.colour!r}")

    def describe(self) -> str:
        """The appearance in a phrase that contains every factor."""
        skin = f"plain {self.colour}" if self.pattern == "plain" else f"{self.pattern} {self.colour} and {self.second}"
        parts = self.part if self.count == "one" else _plural(self.part)
        return f"a {skin} {self.silhouette} with {self.count} {self.second} {parts} {self.placement}"

    def digest(self) -> int:
        """A 64-bit integer that depends on the factors only, equal on every machine."""
        text = "/".join(getattr(self, field.name) for field in fields(self))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")

    def vary(self, rng: np.random.Generator, factors: tuple[str, ...]) -> Appearance:
        """A copy in which each of `factors` has another value, drawn uniformly."""
        varied = self
        for factor in factors:
            taken = {getattr(varied, factor)}
            if factor in ("colour", "second"):
                taken = {varied.colour, varied.second}
            choices = [value for value in FACTORS[factor] if value not in taken]
            varied = replace(varied, **{factor: str(rng.choice(choices))})
        return varied

    def distance(self, other: Appearance) -> int:
        """The number of factors in which two appearances differ."""
        return sum(getattr(self, factor) != getattr(other, factor) for factor in FACTORS)


def random_appearance(rng: np.random.Generator) -> Appearance:
    """An appearance drawn uniformly from the factor space."""
    values = {factor: str(rng.choice(choices)) for factor, choices in FACTORS.items()}
    while values["second"] == values["colour"]:
        values["second"] = str(rng.choice(FACTORS["second"]))
    return Appearance(**values)


def description_words() -> list[str]:
    """All words that `Appearance.describe` can use, sorted."""
    values = {word for choices in FACTORS.values() for value in choices for word in value.split()}
    return sorted(values | {_plural(part) for part in FACTORS["part"]} | {"a", "and", "with"})


def _plural(noun: str) -> str:
    return {"leaf": "leaves"}.get(noun, noun + "s")
