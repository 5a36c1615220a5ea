"""Hard negatives on disk, in the form of the release's `train900_pairs.jsonl`: one class a line.

A line has `class_id`, `class_name`, `samples` (image paths) and `neighbors`, a list of
[class_id, class_name, image path], most similar first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcl_lab.concepts.dataset import Dataset, ImageRef
from lcl_lab.errors import UserError, nearest

__all__ = ["ClassLine", "neighbour_rows", "read_pairs", "write_pairs"]


@dataclass(frozen=True)
class ClassLine:
    """One class of the file."""

    id: str
    name: str
    samples: tuple[str, ...]
    neighbours: tuple[tuple[str, str, str], ...]  # id, name, image


def write_pairs(path: Path, concepts: Dataset, neighbours: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Write neighbours (C, N), indices in the set's order; each comes with a random image of its class."""
    classes = list(concepts.concepts.values())

    def image(row: int) -> str:
        return str(ImageRef(concepts.name, classes[row].id, int(rng.integers(classes[row].images))))

    lines = []
    for row, concept in enumerate(classes):
        near = [[classes[other].id, classes[other].name, image(other)] for other in map(int, neighbours[row])]
        samples = [str(ImageRef(concepts.name, concept.id, number)) for number in range(concept.images)]
        fields = {"class_id": concept.id, "class_name": concept.name, "samples": samples, "neighbors": near}
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text("".join(lines), encoding="utf-8")
    os.replace(part, path)


def read_pairs(path: Path) -> list[ClassLine]:
    """The classes of a file in its order.

    Raises:
        UserError: no such file, or a line that is not such a class, with its number.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--neighbours {path}: {getattr(error, 'strerror', None) or error}") from error
    return list(_lines(path, text))


def _lines(path: Path, text: str) -> Iterator[ClassLine]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields: dict[str, Any] = json.loads(line)
            near = tuple((str(id), str(name), str(image)) for id, name, image in fields["neighbors"])
            yield ClassLine(str(fields["class_id"]), str(fields["class_name"]), tuple(fields["samples"]), near)
        except KeyError as error:
            raise UserError(f"{path}, line {number}: has no field {error}") from None
        except (ValueError, TypeError) as error:
            raise UserError(f"{path}, line {number}: not a class with neighbours: {error}") from None


def neighbour_rows(path: Path, concepts: Dataset) -> NDArray[np.int64]:
    """The file's neighbours (C, N) as indices in the order of a set that has the same classes.

    Raises:
        UserError: a class of the file is not in the set, one of the set is not in the file, or the classes
            have different numbers of neighbours.
    """
    rows = {concept: row for row, concept in enumerate(concepts.concepts)}
    lines = {line.id: line for line in read_pairs(path)}
    named = {id for line in lines.values() for id, *_ in line.neighbours} | lines.keys()
    for unknown in sorted(named - rows.keys())[:1]:
        raise UserError(f"{path}: class {unknown!r} is not in {concepts.name}; {nearest(unknown, rows)}")
    for missing in sorted(rows.keys() - lines.keys())[:1]:
        raise UserError(f"{path}: class {missing!r} of {concepts.name} has no line")
    if len({len(line.neighbours) for line in lines.values()}) != 1:
        raise UserError(f"{path}: its classes have different numbers of neighbours")
    return np.array([[rows[id] for id, *_ in lines[concept].neighbours] for concept in rows], np.int64)
