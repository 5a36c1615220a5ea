"""Checks the files of a checkpoint before anything is loaded, so that a damaged file is one line that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from lcl_lab.atomic import parse_json
from lcl_lab.errors import UserError

__all__ = ["HASHED", "check_code", "check_metadata", "check_weights", "read_object", "read_shard_names"]

HASHED = ("*.json", "*.jinja", "*.safetensors", "*.txt", "*.model")  # *.txt and *.model hold vocabularies
"""Patterns of the files that answers depend on."""
_INDEX = "model.safetensors.index.json"
_OBJECTS = (
    *("*config.json", "*.index.json", "card.json", "training.json", "tokenizer.json", "chat_template.json"),
    *("special_tokens_map.json", "added_tokens.json"),
)
_COUNTS = re.compile(r"(num_\w*(layers|blocks|heads)|n_layers?|n_heads?|depth)")
_MOST = 10_000  # layers or heads


def read_object(file: Path, option: str, name: object) -> dict[str, Any]:
    """The JSON object in a file of a checkpoint.

    Args:
        file: the file.
        option: the option that the checkpoint was given for, for error messages.
        name: its value.

    Raises:
        UserError: the file cannot be read, or contains something else.
    """
    try:
        value = parse_json(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise _damaged(file, error.strerror or error, option, name) from error
    except ValueError as error:
        raise _damaged(file, f"not JSON: {error}", option, name) from error
    if not isinstance(value, dict):
        raise _damaged(file, "not a JSON object", option, name)
    return value


def check_metadata(path: Path, option: str, name: object) -> None:
    """Check every file of a checkpoint except the content of its weights.

    Args:
        path: the folder.
        option: the option that it was given for, for error messages.
        name: its value.

    Raises:
        UserError: a file is not a regular file or is damaged, or the config has an impossible number of layers.
    """
    for file in sorted(file for pattern in HASHED for file in path.glob(pattern)):
        if not file.is_file():
            raise _damaged(file, "a broken link" if file.is_symlink() else "not a regular file", option, name)
    for file in sorted({file for pattern in _OBJECTS for file in path.glob(pattern)}):
        content = read_object(file, option, name)
        if file.name == "config.json":
            _check_counts(file, content, option, name)
    for file in sorted(path.glob("*.jinja")):
        # Without a template, prompts would be written in another format.
        if not file.read_bytes().strip():
            raise _damaged(file, "it is empty", option, name)


def check_weights(path: Path, option: str, name: object) -> None:
    """Check that all weights of a checkpoint are there, by their headers.

    Args:
        path: the folder.
        option: the option that it was given for, for error messages.
        name: its value.

    Raises:
        UserError: a file is missing, damaged or empty.
    """
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise UserError(f"no *.safetensors in {path}", option=option, value=name)
    index = path / _INDEX
    listed = read_shard_names(index, option, name) if index.is_file() else set()
    missing = {shard for shard in listed if not (path / shard).is_file()}
    if missing:
        raise UserError(f"{path} lacks {min(missing)}, one of its shards", option=option, value=name)
    for file in {*weights, *(path / shard for shard in listed)}:
        try:
            with safe_open(file, framework="numpy") as tensors:
                empty = not tensors.keys()
        except (SafetensorError, OSError) as error:
            raise _damaged(file, error, option, name) from error
        if empty:
            raise UserError(f"{file} contains no tensors", option=option, value=name)


def check_code(path: Path, option: str, name: object) -> None:
    """Check that the code of a checkpoint is in its folder, where its fingerprint or its commit covers it.

    Args:
        path: the folder.
        option: the option that it was given for, for error messages.
        name: its value.

    Raises:
        UserError: a config names code of another repository, or is damaged.
    """
    for file in sorted(path.glob("*config.json")):
        entries = read_object(file, option, name).get("auto_map", {})
        if not isinstance(entries, dict):
            raise _damaged(file, "auto_map is not a JSON object", option, name)
        classes = [one for entry in entries.values() for one in (entry if isinstance(entry, list) else [entry])]
        for repository, dashes, module in (str(one).partition("--") for one in classes):
            if dashes:
                reason = f"its {file.name} takes code from {repository}; copy the code to {path} and name it {module}"
                raise UserError(reason, option=option, value=name)


def read_shard_names(index: Path, option: str, name: object) -> set[str]:
    """Names of the files that the index of a sharded checkpoint lists.

    Args:
        index: the file of the index.
        option: the option that the checkpoint was given for, for error messages.
        name: its value.

    Raises:
        UserError: the file cannot be read, or is no index.
    """
    shards = read_object(index, option, name).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(shard, str) for shard in shards.values()):
        raise _damaged(index, "its weight_map does not map tensors to files", option, name)
    return set(shards.values())


def _check_counts(file: Path, config: dict[str, Any], option: str, name: object) -> None:
    """Refuse a number of layers or heads for which `transformers` would run out of memory."""
    for key, value in _items(config):
        if _COUNTS.fullmatch(key) and isinstance(value, int | float) and not 0 <= value <= _MOST:
            raise _damaged(file, f"{key} is {value}", option, name)


def _items(config: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        yield key, value
        if isinstance(value, dict):
            yield from _items(value)


def _damaged(file: Path, reason: object, option: str, name: object) -> UserError:
    return UserError(f"{file} is damaged: {reason}", option=option, value=name)
