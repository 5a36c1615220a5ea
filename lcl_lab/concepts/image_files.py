"""A dataset whose images are files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from lcl_lab.concepts.dataset import Concept, ImageRef, Pair
from lcl_lab.concepts.file_digests import digest_files
from lcl_lab.concepts.image_reader import read_image

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["ImageFiles"]


@dataclass(frozen=True)
class ImageFiles:
    """A `Dataset` of image files.

    Attributes:
        name: the name of the dataset.
        concepts: the concepts by id.
        files: the image files of each concept, by its id; those for supports come first where it has `contexts`.
        pairs: pairs of look-alikes.
    """

    name: str
    concepts: Mapping[str, Concept]
    files: Mapping[str, Sequence[Path]] = field(repr=False)
    pairs: Sequence[Pair]

    @property
    def fingerprint(self) -> str:
        """Covers concepts, pairs and the content of all image files, wherever they are.

        Raises:
            UserError: a file cannot be read.
        """
        digests = iter(digest_files([file for id in self.concepts for file in self.files[id]]))
        content = [(astuple(concept), [next(digests) for _ in self.files[id]]) for id, concept in self.concepts.items()]
        return blake2b(repr((content, [tuple(pair) for pair in self.pairs])).encode(), digest_size=8).hexdigest()

    def image(self, ref: ImageRef) -> Image:
        """The image in RGB; see `read_image`.

        Raises:
            IndexError: the concept has no image of that number.
            UserError: the file cannot be read as an image.
        """
        files = self.files[ref.concept]
        if not 0 <= ref.number < len(files):
            raise IndexError(f"{self.name}:{ref.concept} has {len(files)} images, no number {ref.number}")
        return read_image(files[ref.number], "data", self.name)
