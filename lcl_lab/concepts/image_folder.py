"""`folder:PATH`: one folder a class, named after it, and which classes look alike in `pairs.csv`."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lcl_lab.concepts.dataset import Concept, Pair
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.errors import UserError, nearest

__all__ = ["read_folder"]

_IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def read_folder(path: Path) -> ImageFiles:
    """The classes of a folder. Without `pairs.csv` (columns positive, negative) each two that follow by name pair.

    Raises:
        UserError: no such folder, no classes, a class without images, or a wrong line of `pairs.csv`.
    """
    if not path.is_dir():
        raise UserError(f"--data folder:{path}: no such folder")
    files = {
        folder.name: sorted(file for file in folder.iterdir() if file.suffix.lower() in _IMAGES)
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if not files:
        raise UserError(f"--data folder:{path}: holds no folders; one folder of images a class is expected")
    for name in (name for name, images in files.items() if not images):
        raise UserError(f"--data folder:{path}: {path / name} holds no images ({', '.join(sorted(_IMAGES))})")
    concepts = {name: Concept(name, name.replace("_", " "), "", len(images)) for name, images in files.items()}
    table = path / "pairs.csv"
    pairs = _read_pairs(table, list(files)) if table.is_file() else _neighbours(path, list(files))
    return ImageFiles(f"folder:{path}", concepts, files, pairs)


def _neighbours(path: Path, names: list[str]) -> list[Pair]:
    if len(names) % 2:
        raise UserError(f"--data folder:{path}: {len(names)} classes cannot all be paired; say how in {path}/pairs.csv")
    return [Pair(names[k], names[k + 1]) for k in range(0, len(names), 2)]


def _read_pairs(table: Path, names: list[str]) -> list[Pair]:
    pairs = []
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{table}: {getattr(error, 'strerror', None) or error}") from error
    with io.StringIO(text, newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"positive", "negative"} <= set(rows.fieldnames or ()):
            raise UserError(f"{table}, line 1: its columns must be positive,negative")
        for row in rows:
            for name in (row["positive"], row["negative"]):
                if name not in names:
                    hint = nearest(str(name), names)
                    raise UserError(f"{table}, line {rows.line_num}: no folder {name!r} here; {hint}")
            if row["positive"] == row["negative"]:
                raise UserError(f"{table}, line {rows.line_num}: {row['positive']!r} is paired with itself")
            pairs.append(Pair(row["positive"], row["negative"]))
    if not pairs:
        raise UserError(f"{table}: holds no pairs")
    return pairs
