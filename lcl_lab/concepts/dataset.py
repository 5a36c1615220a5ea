"""What a source of concepts is: names, pairs of look-alikes, and images on request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from PIL.Image import Image

__all__ = ["Concept", "Dataset", "ImageRef", "Pair"]


class ImageRef(NamedTuple):
    """One image, by where it comes from; prints as `world-100:017:5`."""

    data: str
    concept: str
    number: int

    def __str__(self) -> str:
        return f"{self.data}:{self.concept}:{self.number}"


@dataclass(frozen=True)
class Concept:
    """A class of images with a name; `images` is how many there are, numbered from 0.

    Where the data says which images are for supports, these are the first `contexts` and queries are among the
    others; where it does not, `contexts` is 0 and any image may be either.
    """

    id: str
    name: str
    description: str
    images: int
    contexts: int = 0


class Pair(NamedTuple):
    """The ids of a concept and of the look-alike that is its hard negative."""

    positive: str
    negative: str

    def __str__(self) -> str:
        return f"{self.positive}~{self.negative}"


class Dataset(Protocol):
    """A named set of concepts; a new dataset is one file that makes one of these."""

    @property
    def name(self) -> str: ...

    @property
    def concepts(self) -> Mapping[str, Concept]: ...

    @property
    def pairs(self) -> Sequence[Pair]: ...

    @property
    def fingerprint(self) -> str:
        """Changes whenever a name, a pair or an image changes."""

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB; IndexError where the concept has no image of that number."""
