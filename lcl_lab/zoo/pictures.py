"""Turns openly licensed emoji and letters into datasets: for training, for development, and for evaluation.

A concept is one emoji or one letter. Concepts are divided by a hash of their names, and artists by their sets: neither
a concept that models are evaluated on nor the style of its drawings occurs in training.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import vl_convert
from PIL import Image, ImageDraw, ImageFont

from lcl_lab.atomic import write_atomic
from lcl_lab.concepts import Pair
from lcl_lab.concepts.drawings import INDEX, DrawingIndex, DrawnConcept
from lcl_lab.progress import track
from lcl_lab.reporting.zip_archive import zip_archive
from lcl_lab.worker_pool import map_in_processes
from lcl_lab.zoo.picture_sources import (
    FONT,
    HELD_OUT_SETS,
    TRAINING_SETS,
    Package,
    fetch,
    read_fonts,
    read_icons,
)

__all__ = ["Drawn", "draw_emoji", "draw_letters", "drawing_index", "write_drawings"]

Drawn = Mapping[str, Mapping[str, bytes]]
"""By concept and style, the PNG of each drawing."""

_VARIANTS = re.compile(
    r"skin-tone|^flag-|^keycap|^regional|-low$|^person-|^man-|^woman-|^men-|^women-|^family|couple|^kiss-|^people-"
    r"|holding-hands|button$|-arrow|o-clock|-thirty|^\d"
)
"""Emoji that are variants of others in skin, gender or direction, and signs that are text."""
_STYLES = 4  # sets that must have an emoji, at least
_DRAWINGS = 3  # of a concept in its part, at least
_TRAINING_SIDE, _SIDE = 192, 128  # pixels of a drawing
_COLOURS = 96  # of a drawing that ships
_LETTERS = range(0x1200, 0x1358)
_WEIGHTS = (200, 400, 600, 900)
_INK = ((20, 20, 20), (150, 20, 30), (20, 60, 150), (20, 100, 50))  # of each weight, against backgrounds of any colour


def draw_emoji(folder: Path, workers: int) -> Mapping[str, Drawn]:
    """Draw all emoji that enough sets have.

    Args:
        folder: where packages are downloaded to.
        workers: processes that draw.

    Returns:
        The drawings for "train", "dev" and "test". Those for training are in the styles of `TRAINING_SETS`, the others
        in those of `HELD_OUT_SETS`.

    Raises:
        UserError: a package cannot be downloaded.
    """
    icons = {package.name: read_icons(fetch(package, folder)) for package in (*TRAINING_SETS, *HELD_OUT_SETS)}
    sets = Counter(name for documents in icons.values() for name in documents)
    names = sorted(name for name, count in sets.items() if count >= _STYLES and not _VARIANTS.search(name))
    wanted = [
        (split, name, package.name)
        for name in names
        for split in [_split_of(name)]
        for package in (TRAINING_SETS if split == "train" else HELD_OUT_SETS)
        if name in icons[package.name]
    ]
    documents = [icons[style][name] for _, name, style in wanted]
    sides = [_TRAINING_SIDE if split == "train" else _SIDE for split, _, _ in wanted]
    drawn: dict[str, dict[str, dict[str, bytes]]] = {"train": {}, "dev": {}, "test": {}}
    with map_in_processes(_draw_icon, documents, sides, workers=workers) as drawings:
        for (split, name, style), drawing in zip(wanted, track(drawings, "drawing emoji", len(wanted)), strict=True):
            drawn[split].setdefault(name, {})[style] = drawing
    return {
        split: {name: styles for name, styles in concepts.items() if len(styles) >= _DRAWINGS}
        for split, concepts in drawn.items()
    }


def draw_letters(folder: Path, count: int) -> Drawn:
    """Draw letters of the Ethiopic script in several weights.

    Args:
        folder: where the font is downloaded to.
        count: number of letters.

    Raises:
        UserError: the font cannot be downloaded.
    """
    fonts = read_fonts(fetch(FONT, folder), _WEIGHTS)
    opened = {weight: ImageFont.truetype(io.BytesIO(font), _SIDE) for weight, font in fonts.items()}
    blank = opened[_WEIGHTS[0]].getmask("\uffff").getbbox()
    letters = [chr(code) for code in _LETTERS if opened[_WEIGHTS[0]].getmask(chr(code)).getbbox() not in (None, blank)]
    return {
        f"ethiopic-{ord(letter):04x}": {
            str(weight): _draw_letter(letter, font, ink)
            for (weight, font), ink in zip(opened.items(), _INK, strict=True)
        }
        for letter in letters[:count]
    }


def drawing_index(
    name: str, drawn: Drawn, pairs: Sequence[Pair], scenes: int, packages: Sequence[Package]
) -> DrawingIndex:
    """Describe drawings as a dataset.

    Args:
        name: its name.
        drawn: the drawings.
        pairs: look-alikes.
        scenes: images of a drawing.
        packages: where the drawings are from.
    """
    return DrawingIndex(
        name=name,
        source="; ".join(f"{package.name} ({package.licence})" for package in packages),
        scenes=scenes,
        concepts={
            id: DrawnConcept(name=id.replace("-", " "), drawings=tuple(f"{id}/{style}.png" for style in styles))
            for id, styles in drawn.items()
        },
        pairs=tuple((pair.positive, pair.negative) for pair in pairs),
    )


def write_drawings(path: Path, drawn: Drawn, index: DrawingIndex) -> None:
    """Write an archive that `read_drawings` reads.

    Raises:
        UserError: the file cannot be written.
    """
    files = {f"{id}/{style}.png": drawing for id, styles in drawn.items() for style, drawing in styles.items()}
    description = index.model_dump_json(indent=1, exclude_defaults=True).encode()
    write_atomic(path, zip_archive({INDEX: description, **files}))


def _split_of(name: str) -> str:
    """The part of the concepts that an emoji belongs to: 75 % training, 5 % development, 20 % test."""
    place = int(sha256(name.encode()).hexdigest(), 16) % 100
    return "test" if place < 20 else "dev" if place < 25 else "train"


def _draw_icon(document: str, side: int) -> bytes:
    width = float(re.findall(r'width="([\d.]+)"', document)[0])
    with Image.open(io.BytesIO(vl_convert.svg_to_png(document, scale=side / width))) as image:
        return _png(image.convert("RGBA").resize((side, side)))


def _draw_letter(letter: str, font: ImageFont.FreeTypeFont, ink: tuple[int, int, int]) -> bytes:
    left, top, right, bottom = font.getbbox(letter)
    scale = 1.2 * max(right - left, bottom - top)
    image = Image.new("RGBA", (int(scale), int(scale)))
    place = ((scale - right + left) / 2 - left, (scale - bottom + top) / 2 - top)
    ImageDraw.Draw(image).text(place, letter, fill=(*ink, 255), font=font)
    return _png(image.resize((_SIDE, _SIDE)))


def _png(image: Image.Image) -> bytes:
    """A PNG; one of few colours, since drawings have few, is a third as large."""
    content = io.BytesIO()
    image.quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(content, "PNG", optimize=True)
    return content.getvalue()
