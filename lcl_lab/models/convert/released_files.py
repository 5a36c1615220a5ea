"""Reads the files of a released checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from lcl_lab.atomic import parse_json
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint_files import read_shard_names

__all__ = ["read_config", "read_shards", "read_tensors"]

_INDEXES = ("pytorch_model.bin.index.json", "model.safetensors.index.json")


def read_config(folder: Path) -> dict[str, Any]:
    """The content of the config.json of a folder.

    Raises:
        UserError: there is none, or it is not JSON.
    """
    file = folder / "config.json"
    try:
        values = parse_json(file.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(f"{folder} has no config.json") from None
    except ValueError as error:
        raise UserError(f"{file}: not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"{file}: not a JSON object")
    return values


def read_shards(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder with pytorch_model*.bin or model*.safetensors, memory-mapped.

    Raises:
        UserError: there are no such files, one is missing, or one is damaged.
    """
    index = next((folder / name for name in _INDEXES if (folder / name).is_file()), None)
    if index is not None:
        names = sorted(read_shard_names(index, "source", folder))
    else:
        names = sorted(file.name for file in folder.glob("pytorch_model*.bin"))
        names = names or sorted(file.name for file in folder.glob("model*.safetensors"))
    if not names:
        raise UserError(f"{folder}: no pytorch_model*.bin")
    state: dict[str, Tensor] = {}
    for name in names:
        state |= read_tensors(folder / name)
    return state


def read_tensors(file: Path) -> dict[str, Any]:
    """The content of a file of torch or safetensors; its tensors are memory-mapped.

    Raises:
        UserError: it is missing, damaged, or contains anything but tensors and plain Python values.
    """
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        content: dict[str, Any] = torch.load(file, map_location="cpu", mmap=True, weights_only=True)
    except Exception as error:
        raise UserError(f"{file}: {type(error).__name__}: {str(error).splitlines()[0]}") from error
    return content
