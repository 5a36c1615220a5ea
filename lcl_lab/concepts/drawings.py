"""Datasets of drawings: each concept as several artists drew it, shown in many scenes.

A dataset is one ZIP archive: a PNG with transparency for each drawing, and `index.json`, whose fields are those of
`DrawingIndex`. Nothing in the archive is an image that models see; `compose_scene` makes these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lcl_lab.concepts.dataset import Concept, ImageRef, Pair
from lcl_lab.concepts.scenes import compose_scene
from lcl_lab.errors import UserError

__all__ = ["INDEX", "DrawingIndex", "Drawings", "DrawnConcept", "read_drawings", "shipped_drawings"]

INDEX = "index.json"
"""The file in an archive that describes its drawings."""
_SHIPPED = Path(str(files("lcl_lab"))) / "data"
_LARGEST = 1024  # pixels a side of a drawing


class DrawnConcept(BaseModel):
    """A concept and the files that show it.

    Attributes:
        name: its name.
        drawings: paths of its drawings in the archive.
        description: a sentence about it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    drawings: tuple[str, ...] = Field(min_length=1)
    description: str = ""


class DrawingIndex(BaseModel):
    """What an archive contains.

    Attributes:
        name: the name of the dataset.
        source: where the drawings are from, and under which licences they may be used.
        scenes: the number of images of a drawing.
        concepts: the concepts by id.
        pairs: ids of look-alikes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    scenes: int = Field(ge=1, le=10_000)
    concepts: dict[str, DrawnConcept] = Field(min_length=2)
    pairs: tuple[tuple[str, str], ...] = Field(min_length=1)


class Drawings:
    """A `Dataset` of drawings in scenes.

    The images of a concept show its drawings in turn, each time in another scene.

    Args:
        archive: the ZIP file.
        index: its index.
    """

    def __init__(self, archive: Path, index: DrawingIndex) -> None:
        self._archive, self._index = archive, index
        self.concepts: Mapping[str, Concept] = {id: self._concept(id) for id in index.concepts}
        self.pairs: Sequence[Pair] = [Pair(*pair) for pair in index.pairs]

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self._index.name

    @cached_property
    def fingerprint(self) -> str:
        """Covers the archive, and the pixels of one scene."""
        first = next(iter(self.concepts))
        pixels = self.image(ImageRef(self.name, first, 0)).tobytes()
        return blake2b(self._archive.read_bytes() + pixels, digest_size=8).hexdigest()

    def drawings_of(self, concept: str) -> int:
        """The number of drawings of a concept, each of which is shown once by that many of its first images."""
        return len(self._index.concepts[concept].drawings)

    def content(self, concept: str) -> dict[str, bytes]:
        """The PNGs of a concept's drawings, by the names of their files without suffix."""
        with ZipFile(self._archive) as archive:
            return {Path(path).stem: archive.read(path) for path in self._index.concepts[concept].drawings}

    def image(self, ref: ImageRef) -> Image.Image:
        """The image in RGB, 224 × 224 pixels.

        Raises:
            IndexError: the concept has no image of that number.
            UserError: the drawing cannot be read.
        """
        images = self.concepts[ref.concept].images
        if not 0 <= ref.number < images:
            raise IndexError(f"{self.name}:{ref.concept} has {images} images, no number {ref.number}")
        drawings = self._index.concepts[ref.concept].drawings
        path = drawings[ref.number % len(drawings)]
        seed = int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "big")
        return compose_scene(self._drawing(path), np.random.default_rng([seed, ref.number // len(drawings)]))

    def _concept(self, id: str) -> Concept:
        drawn = self._index.concepts[id]
        return Concept(id, drawn.name, drawn.description, len(drawn.drawings) * self._index.scenes)

    def _drawing(self, path: str) -> Image.Image:
        try:
            content = _opened(self._archive).read(path)
            with Image.open(BytesIO(content)) as image:
                if max(image.size) > _LARGEST:
                    raise ValueError(f"it has {image.width} × {image.height} pixels; at most {_LARGEST} a side")
                return image.convert("RGBA")
        except Exception as error:  # on damaged files, Pillow's decoders raise whatever their parsing trips over
            reason = " ".join(str(error).split())
            raise UserError(
                f"{path} in {self._archive} cannot be read as a drawing: {reason}", option="data"
            ) from error

    def __repr__(self) -> str:
        return f"Drawings({str(self._archive)!r})"


@lru_cache(maxsize=8)
def _opened(archive: Path) -> ZipFile:
    """Reading the directory of an archive takes longer than reading a drawing."""
    return ZipFile(archive)


@cache
def shipped_drawings(name: str) -> Drawings:
    """A dataset of drawings that ships with the package: `emoji-100` or `glyphs-100`."""
    return read_drawings(_SHIPPED / f"{name}.zip")


def read_drawings(archive: Path) -> Drawings:
    """Read `drawings:FILE`.

    Raises:
        UserError: the file is missing or damaged, its index is wrong, or a drawing is missing.
    """
    value = f"drawings:{archive}"
    try:
        with ZipFile(archive) as file:
            index = DrawingIndex.model_validate_json(file.read(INDEX))
            missing = {path for one in index.concepts.values() for path in one.drawings}
            missing -= set(file.namelist())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{INDEX} of {archive}: {place}: {first['msg']}", option="data", value=value) from error
    except FileNotFoundError as error:
        raise UserError(f"{archive} does not exist", option="data", value=value) from error
    except (BadZipFile, KeyError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{archive} is not an archive of drawings: {reason}", option="data", value=value) from error
    if missing:
        raise UserError(f"{archive} has no file {min(missing)!r}, which its index lists", option="data", value=value)
    return Drawings(archive, index)
