"""Small files of instruction data in the formats of real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COLOURS = ("red", "green", "blue")


def write_images(folder: Path) -> None:
    """`red.png` and its siblings."""
    folder.mkdir(parents=True, exist_ok=True)
    for colour in COLOURS:
        Image.new("RGB", (32, 32), colour).save(folder / f"{colour}.png")


def png(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "png")
    return file.getvalue()


def llava(*values: str, image: str | list[str] | None = None, system: str = "") -> dict[str, Any]:
    """A row of LLaVA's files, from what the user and the model say in turn."""
    turns = [{"from": ("human", "gpt")[k % 2], "value": value} for k, value in enumerate(values)]
    if system:
        turns.insert(0, {"from": "system", "value": system})
    return {"id": "000000033471", **({"image": image} if image else {}), "conversations": turns}


def questions(count: int) -> list[dict[str, Any]]:
    """Rows about images of `write_images`."""
    colours = [COLOURS[k % len(COLOURS)] for k in range(count)]
    return [llava(f"<image>\nWhat is {k}?", f"it is {c}", image=f"{c}.png") for k, c in enumerate(colours)]


def write_list(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def write_lines(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[dict[str, Any]], group: int = 2) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows)), path, row_group_size=group)
    return path


def save_to_disk(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """The files that `Dataset.save_to_disk` writes: tables as Arrow streams, and a state that names them."""
    folder.mkdir()
    names = [f"data-0000{k}-of-00002.arrow" for k in range(2)]
    table = pa.Table.from_pylist(list(rows))
    for name, part in zip(names, (table.slice(0, 2), table.slice(2)), strict=True):
        with pa.ipc.new_stream(str(folder / name), table.schema) as writer:
            writer.write_table(part, max_chunksize=2)
    state = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")
    return folder
