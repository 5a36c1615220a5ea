"""Archives of drawings: coloured shapes on transparent ground, in the format that the package reads."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from PIL import Image, ImageDraw

COLOURS = {"red": (220, 20, 30), "green": (20, 160, 40), "blue": (30, 60, 210), "grey": (120, 120, 120)}


def drawing(colour: tuple[int, int, int], corners: int) -> bytes:
    """A PNG of a polygon that fills the middle of a transparent square."""
    image = Image.new("RGBA", (64, 64))
    ImageDraw.Draw(image).regular_polygon((32, 32, 28), corners, fill=(*colour, 255))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def index(**changes: Any) -> dict[str, Any]:
    """The index of four colours, each drawn as a triangle, a square and a pentagon."""
    concepts = {
        name: {"name": name, "drawings": [f"{name}/{corners}.png" for corners in (3, 4, 5)]} for name in COLOURS
    }
    pairs = [["red", "green"], ["blue", "grey"]]
    return {"name": "colours", "source": "the tests", "scenes": 4, "concepts": concepts, "pairs": pairs, **changes}


def write_archive(path: Path, description: object | None = None, files: Mapping[str, bytes] | None = None) -> Path:
    """Write an archive; by default that of `index`, with all its drawings."""
    drawings = {
        f"{name}/{corners}.png": drawing(colour, corners) for name, colour in COLOURS.items() for corners in (3, 4, 5)
    }
    with ZipFile(path, "w") as archive:
        archive.writestr("index.json", json.dumps(index() if description is None else description))
        for name, content in (drawings if files is None else files).items():
            archive.writestr(name, content)
    return path
