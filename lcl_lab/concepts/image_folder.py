"""Reads `folder:PATH`: one folder of images per concept, and pairs of look-alikes in an optional `pairs.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from lcl_lab.concepts.dataset import Concept, Pair, comparable_name, unique_pairs
from lcl_lab.concepts.image_files import ImageFiles
from lcl_lab.errors import UserError, nearest

__all__ = ["read_folder"]

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}


def read_folder(path: Path) -> ImageFiles:
    """Read a folder that has one folder of images per concept.

    A concept is named after its folder, with spaces for underscores. Pairs are the rows of `pairs.csv` (columns
    ``positive`` and ``negative``, names of folders); without this file, concepts are paired in alphabetical order,
    the first with the second, the third with the fourth, and so on.

    Raises:
        UserError: there is no such folder, it has no concepts, a concept has no images, two concepts have the same
            name, or `pairs.csv` is wrong.
    """
    option = f"folder:{path}"
    if not path.is_dir():
        raise UserError("no such folder", option="data", value=option)
    files = {
        folder.name: sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
        for folder in sorted(path.iterdir())
        if folder.is_dir() and not folder.name.startswith(".")
    }
    if not files:
        raise UserError(
            f"{path} contains no folders; it needs one folder of images per concept", option="data", value=option
        )
    for folder in (folder for folder, images in files.items() if not images):
        suffixes = ", ".join(sorted(_SUFFIXES))
        raise UserError(f"{path / folder} contains no images ({suffixes})", option="data", value=option)
    concepts = {id: Concept(id, id.replace("_", " "), "", len(images)) for id, images in files.items()}
    _check_names(option, concepts)
    table = path / "pairs.csv"
    pairs = _read_pairs(option, table, list(files)) if table.is_file() else _pair_in_order(option, path, list(files))
    return ImageFiles(option, concepts, files, pairs)


def _check_names(option: str, concepts: Mapping[str, Concept]) -> None:
    """No answer could distinguish two concepts with the same name."""
    ids: dict[str, str] = {}
    for id, concept in concepts.items():
        first = ids.setdefault(comparable_name(concept.name), id)
        if first != id:
            raise UserError(
                f"the folders {first!r} and {id!r} give two concepts the same name, {concept.name!r}; rename one",
                option="data",
                value=option,
            )


def _pair_in_order(option: str, path: Path, ids: Sequence[str]) -> list[Pair]:
    if len(ids) % 2:
        raise UserError(
            f"{len(ids)} concepts cannot all be paired; list the pairs in {path}/pairs.csv", option="data", value=option
        )
    return [Pair(ids[k], ids[k + 1]) for k in range(0, len(ids), 2)]


def _read_pairs(option: str, table: Path, ids: Sequence[str]) -> list[Pair]:
    def fail(reason: str) -> UserError:
        return UserError(f"{table}{reason}", option="data", value=option)

    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(f": {getattr(error, 'strerror', None) or error}") from error
    pairs = []
    with io.StringIO(text, newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"positive", "negative"} <= set(rows.fieldnames or ()):
            raise fail(", line 1: its columns must be positive,negative")
        for row in rows:
            pair = Pair(row["positive"], row["negative"])
            for id in pair:
                if id not in ids:
                    raise fail(f", line {rows.line_num}: there is no folder {id!r}; {nearest(str(id), ids)}")
            if pair.positive == pair.negative:
                raise fail(f", line {rows.line_num}: {pair.positive!r} is paired with itself")
            pairs.append(pair)
    if not pairs:
        raise fail(" contains no pairs")
    return unique_pairs(pairs)
