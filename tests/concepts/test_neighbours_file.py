from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.concepts.hard_negatives import draw_neighbours
from lcl_lab.concepts.neighbours_file import neighbour_indices, read_neighbours, write_neighbours
from lcl_lab.errors import UserError

DEV = load_dataset("world-dev")
NEIGHBOURS = draw_neighbours(np.random.default_rng(0).random((100, 100)), 10, np.random.default_rng(1))
# Two lines of the release, with fewer samples and neighbours.
RELEASED = """\
{"class_id": "n02119789", "class_name": "kit fox", "samples": ["train/n02119789/n02119789_9474.JPEG"], \
"neighbors": [["n02114548", "white wolf", "val/ILSVRC2012_val_00009503.JPEG"]]}
{"class_id": "n02114548", "class_name": "white wolf", "samples": ["train/n02114548/n02114548_1.JPEG"], \
"neighbors": [["n02119789", "kit fox", "train/n02119789/n02119789_12.JPEG"]]}
"""


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    write_neighbours(path, DEV, NEIGHBOURS, np.random.default_rng(0))
    assert np.array_equal(neighbour_indices(path, DEV), NEIGHBOURS)
    first = read_neighbours(path)[0]
    assert (first.id, first.name) == ("000", DEV.concepts["000"].name)
    assert first.samples[5] == "world-dev:000:5"
    assert all(image.startswith(f"world-dev:{id}:") for id, _, image in first.neighbours)


def test_the_format_of_the_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "train900_pairs.jsonl"
    path.write_text(RELEASED)
    fox, wolf = read_neighbours(path)
    assert fox.name == "kit fox"
    assert fox.neighbours == (("n02114548", "white wolf", "val/ILSVRC2012_val_00009503.JPEG"),)
    assert wolf.samples == ("train/n02114548/n02114548_1.JPEG",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2 is not a concept"),
        ('{"class_id": "000", "class_name": "x", "samples": []}', "line 2 has no field 'neighbors'"),
        ('{"class_id": "000", "class_name": "x", "samples": [], "neighbors": [["1"]]}', "line 2 is not a concept"),
    ],
)
def test_an_invalid_line_is_reported_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(RELEASED.splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(UserError, match=reason):
        read_neighbours(path)


def test_a_file_of_other_concepts_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(RELEASED)
    with pytest.raises(UserError, match="concept 'n02114548' is not in world-dev"):
        neighbour_indices(path, DEV)
    write_neighbours(path, DEV, NEIGHBOURS, np.random.default_rng(0))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(UserError, match="concept '099' of world-dev has no line"):
        neighbour_indices(path, DEV)
    short = json.loads(lines[-1])
    short["neighbors"].pop()
    path.write_text("\n".join([*lines[:-1], json.dumps(short)]))
    with pytest.raises(UserError, match="different numbers"):
        neighbour_indices(path, DEV)
    with pytest.raises(UserError, match="No such file"):
        read_neighbours(tmp_path / "none.jsonl")
