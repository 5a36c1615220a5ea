"""A set of concepts whose images are files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from lcl_lab.concepts.dataset import Concept, ImageRef, Pair
from lcl_lab.errors import UserError

__all__ = ["ImageFiles"]


@dataclass(frozen=True)
class ImageFiles:
    """A `Dataset` of files; those that supports are drawn from come first where a concept has `contexts`."""

    name: str
    concepts: Mapping[str, Concept]
    files: Mapping[str, Sequence[Path]] = field(repr=False)
    pairs: Sequence[Pair]

    @property
    def fingerprint(self) -> str:
        """Covers names, pairs, and the names and sizes of all files."""
        content = [
            (concept, [(file.name, file.stat().st_size) for file in self.files[id]])
            for id, concept in self.concepts.items()
        ]
        return blake2b(repr((content, self.pairs)).encode(), digest_size=8).hexdigest()

    def image(self, ref: ImageRef) -> Image.Image:
        """The image in RGB.

        Raises:
            IndexError: the concept has no image of that number.
            UserError: the file cannot be read as an image.
        """
        if not 0 <= ref.number < len(self.files[ref.concept]):
            raise IndexError(f"{self.name}:{ref.concept} has {len(self.files[ref.concept])} images, no {ref.number}")
        file = self.files[ref.concept][ref.number]
        try:
            with Image.open(file) as opened:
                return opened.convert("RGB")
        except (UnidentifiedImageError, OSError) as error:
            raise UserError(f"--data {self.name}: {file} cannot be read as an image: {error}") from error
