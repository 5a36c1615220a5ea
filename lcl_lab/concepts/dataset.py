"""The interface of a dataset: named concepts, pairs of look-alikes, and images on request."""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lcl_lab.control_characters import has_controls
from lcl_lab.errors import UserError, nearest_values

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "DEFAULT_CLIP",
    "Concept",
    "Dataset",
    "ImageRef",
    "Pair",
    "check_dataset",
    "comparable_name",
    "dataset_identity",
    "name_problem",
    "unique_pairs",
]

DEFAULT_CLIP = "mini/prototype"
"""The CLIP that compares images where none is chosen."""
_SPECIAL_TOKEN = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]{3,}\]")
"""Tokens such as `<image>`, `<|end|>`, `</s>`, `[IMG]` and `[/INST]`."""


class ImageRef(NamedTuple):
    """A reference to one image; prints as `world-100:017:5`.

    Attributes:
        data: the name of the dataset.
        concept: the id of the concept.
        number: the number of the image within the concept, from 0.
    """

    data: str
    concept: str
    number: int

    def __str__(self) -> str:
        return f"{self.data}:{self.concept}:{self.number}"


@dataclass(frozen=True)
class Concept:
    """A concept: images that share one name.

    Attributes:
        id: its key in `Dataset.concepts`.
        name: the name that labels show.
        description: a sentence about it; may be empty.
        images: the number of images, which are numbered from 0.
        contexts: where the dataset separates images for supports from images for queries, the number of the former,
            which come first; 0 where any image may be either.
    """

    id: str
    name: str
    description: str
    images: int
    contexts: int = 0


class Pair(NamedTuple):
    """The ids of two look-alikes: a concept and its hard negative."""

    positive: str
    negative: str

    def __str__(self) -> str:
        return f"{self.positive}~{self.negative}"


class Dataset(Protocol):
    """Concepts, pairs and images. Any object with these attributes is a dataset; no base class is needed."""

    @property
    def name(self) -> str:
        """The name that records and image references use."""

    @property
    def concepts(self) -> Mapping[str, Concept]:
        """All concepts by id."""

    @property
    def pairs(self) -> Sequence[Pair]:
        """Pairs of look-alikes; every episode is about one pair."""

    @property
    def fingerprint(self) -> str:
        """A digest of the content: it changes whenever a name, a pair or an image changes."""

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB.

        Raises:
            IndexError: the concept has no image of that number.
        """


def dataset_identity(dataset: Dataset) -> dict[str, str]:
    """The part of a run's or training's configuration that identifies the data: name and content fingerprint."""
    return {"name": dataset.name, "fingerprint": dataset.fingerprint}


def check_dataset(dataset: object, option: str = "dataset", value: object = None) -> None:
    """Check that an object is a usable dataset. Opens no image and does not compute the fingerprint.

    Args:
        dataset: the object.
        option: the option or argument that it was given for, for the error message.
        value: the value of the option, for the error message.

    Raises:
        UserError: an attribute is missing or has the wrong type, a name cannot be part of a prompt, a pair refers to
            an unknown concept, or two paired concepts have the same name.
    """

    def fail(reason: str) -> UserError:
        return UserError(reason, option=option, value=value)

    for attribute in ("name", "concepts", "pairs", "fingerprint", "image"):
        if not _has(dataset, attribute):
            raise fail(
                f"an object of type {type(dataset).__name__} has no attribute {attribute!r}, which every dataset needs"
            )
    name, concepts, pairs = (getattr(dataset, attribute) for attribute in ("name", "concepts", "pairs"))
    if not isinstance(name, str) or not name:
        raise fail(f"its name must be a non-empty string, not {name!r}")
    if not callable(getattr(dataset, "image")):  # noqa: B009 - the type is object
        raise fail("its attribute 'image' must be a method that takes an ImageRef")
    if not isinstance(concepts, Mapping) or not concepts:
        raise fail("its attribute 'concepts' must be a non-empty mapping from ids to Concept")
    for id, concept in concepts.items():
        if not all(hasattr(concept, attribute) for attribute in ("id", "name", "description", "images", "contexts")):
            raise fail(f"concept {id!r} must be a lcl_lab.concepts.Concept, not {type(concept).__name__}")
        if concept.id != id:
            raise fail(f"concept {id!r} has the id {concept.id!r}; key and id must be equal")
        if problem := name_problem(concept.name):
            raise fail(f"the name of concept {id!r} {problem}")
    if not isinstance(pairs, Sequence) or not pairs:
        raise fail("its attribute 'pairs' must be a non-empty sequence of Pair")
    for pair in pairs:
        if not isinstance(pair, Pair):
            raise fail(f"its pairs must be lcl_lab.concepts.Pair, not {pair!r}")
        for id in pair:
            if id not in concepts:
                raise fail(
                    f"pair {pair} refers to an unknown concept {id!r}; {nearest_values(str(id), map(str, concepts))}"
                )
        positive, negative = (concepts[id].name for id in pair)
        if comparable_name(positive) == comparable_name(negative):
            raise fail(f"the concepts of pair {pair} have the same name, {positive!r}")


def name_problem(name: object) -> str | None:
    """Why a concept cannot have a name, as the end of a sentence; None if it can."""
    if not isinstance(name, str) or not name.strip():
        return f"must be a non-empty string, not {name!r}"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "is not text in the encoding of this locale; LC_ALL=C.UTF-8 reads UTF-8"
    if has_controls(name):
        return f"contains control characters: {name!a}"
    if token := _SPECIAL_TOKEN.search(name):
        return f"contains {token[0]!r}, which models read as a special token such as the placeholder of an image"
    return None


def comparable_name(name: str) -> str:
    """The form in which two names are compared: Unicode, letter case and white space do not matter."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", name)).strip().casefold()


def unique_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs in their order, without those that repeat two concepts in either order."""
    unique: dict[frozenset[str], Pair] = {}
    for pair in pairs:
        unique.setdefault(frozenset(pair), pair)
    return list(unique.values())


def _has(value: object, attribute: str) -> bool:
    try:
        inspect.getattr_static(value, attribute)  # does not run a property such as a fingerprint over many files
    except AttributeError:
        return hasattr(value, attribute)
    return True
