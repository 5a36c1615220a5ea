"""Mined hard negatives on disk, in the format of the release's `train900_pairs.jsonl`: one line per concept.

A line has `class_id`, `class_name`, `samples` (image paths) and `neighbors`, a list of
[class_id, class_name, image path], most similar first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lcl_lab.atomic import parse_json, write_text
from lcl_lab.concepts.dataset import Dataset, ImageRef
from lcl_lab.errors import UserError, nearest_values

__all__ = ["ConceptNeighbours", "neighbour_indices", "read_neighbours", "write_neighbours"]


@dataclass(frozen=True)
class ConceptNeighbours:
    """One line of the file.

    Attributes:
        id: the id of the concept.
        name: its name.
        samples: paths of its images.
        neighbours: id, name and an image of each neighbour, most similar first.
    """

    id: str
    name: str
    samples: tuple[str, ...]
    neighbours: tuple[tuple[str, str, str], ...]


def write_neighbours(path: Path, dataset: Dataset, neighbours: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Write the neighbours of all concepts, atomically.

    Args:
        path: the file to write.
        dataset: a dataset of C concepts.
        neighbours: (C, N) indices of concepts, in the order of `dataset.concepts`.
        rng: draws the image that is listed with each neighbour.

    Raises:
        UserError: the file cannot be written.
    """
    concepts = list(dataset.concepts.values())

    def random_image(index: int) -> str:
        return str(ImageRef(dataset.name, concepts[index].id, int(rng.integers(concepts[index].images))))

    lines = []
    for row, concept in enumerate(concepts):
        near = [[concepts[other].id, concepts[other].name, random_image(other)] for other in map(int, neighbours[row])]
        samples = [str(ImageRef(dataset.name, concept.id, number)) for number in range(concept.images)]
        fields = {"class_id": concept.id, "class_name": concept.name, "samples": samples, "neighbors": near}
        lines.append(json.dumps(fields, ensure_ascii=False) + "\n")
    write_text(path, "".join(lines))


def read_neighbours(path: Path) -> list[ConceptNeighbours]:
    """Read all lines of a file.

    Raises:
        UserError: there is no such file, or a line has the wrong format.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(reason, option="neighbours", value=path) from error
    return list(_parse_lines(path, text))


def _parse_lines(path: Path, text: str) -> Iterator[ConceptNeighbours]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            fields: dict[str, Any] = parse_json(line)
            near = tuple((str(id), str(name), str(image)) for id, name, image in fields["neighbors"])
            yield ConceptNeighbours(str(fields["class_id"]), str(fields["class_name"]), tuple(fields["samples"]), near)
        except KeyError as error:
            raise UserError(f"line {number} has no field {error}", option="neighbours", value=path) from None
        except (ValueError, TypeError) as error:
            reason = f"line {number} is not a concept with neighbours: {error}"
            raise UserError(reason, option="neighbours", value=path) from None


def neighbour_indices(path: Path, dataset: Dataset) -> NDArray[np.int64]:
    """Read the neighbours of all concepts of a dataset.

    Args:
        path: a file that `write_neighbours` wrote, or one of the release.
        dataset: a dataset of C concepts.

    Returns:
        (C, N) indices of concepts, in the order of `dataset.concepts`.

    Raises:
        UserError: file and dataset have different concepts, or concepts have different numbers of neighbours.
    """

    def fail(reason: str) -> UserError:
        return UserError(reason, option="neighbours", value=path)

    indices = {id: index for index, id in enumerate(dataset.concepts)}
    lines = {line.id: line for line in read_neighbours(path)}
    mentioned = {id for line in lines.values() for id, *_ in line.neighbours} | lines.keys()
    for unknown in sorted(mentioned - indices.keys())[:1]:
        raise fail(f"concept {unknown!r} is not in {dataset.name}; {nearest_values(unknown, indices)}")
    for missing in sorted(indices.keys() - lines.keys())[:1]:
        raise fail(f"concept {missing!r} of {dataset.name} has no line")
    if len({len(line.neighbours) for line in lines.values()}) != 1:
        raise fail("its concepts have different numbers of neighbours")
    return np.array([[indices[id] for id, *_ in lines[concept].neighbours] for concept in indices], np.int64)
