"""Finds models by name: `mini/NAME` ships with the package, else a checkpoint's folder, a user's file, a model of
the Hugging Face hub, or one behind a server.

Finding reads files and imports no torch, so a wrong name or a damaged file is told at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from lcl_lab.errors import UserError, nearest
from lcl_lab.models.hub import fetch, is_hub_id
from lcl_lab.plugins import function_of_file, is_file

if TYPE_CHECKING:
    from lcl_lab.models.interface import Model

__all__ = [
    "CARD",
    "PROTOTYPE",
    "TRAINING",
    "Checkpoint",
    "find_checkpoint",
    "fingerprint",
    "is_prototype",
    "load_model",
    "shipped",
    "shipped_folder",
    "training_of",
]

CARD = "card.json"
TRAINING = "training.json"  # what a training that is not finished is
PROTOTYPE = "mini/prototype"
SERVED = "openai:"
_SHIPPED = Path(str(files("lcl_lab"))) / "data" / "models"


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk that was looked at: its files are there and whole. One behind a server has a `base_url`."""

    name: str
    path: Path
    fingerprint: str
    base_url: str | None = None


def shipped_folder() -> Path:
    """Where the models of the package lie."""
    return _SHIPPED


def shipped() -> list[str]:
    """The names of the models in the package."""
    return sorted(f"mini/{card.parent.name}" for card in _SHIPPED.glob(f"*/{CARD}"))


def find_checkpoint(name: str, option: str = "--model", base_url: str | None = None) -> Checkpoint:
    """The checkpoint of that name; a Python file counts as one, its `load()` makes the model.

    `NAME=PATH` gives one a name of its own, under which its answers are stored. `option` is the one that the name was
    given for, `base_url` that of the server of `openai:NAME`.

    Raises:
        UserError: there is none, or a file of it is missing or damaged.
    """
    own, equals, path_of = name.partition("=")
    if equals and own and not Path(name).exists():
        return replace(find_checkpoint(path_of, option, base_url), name=own)
    if name.startswith(SERVED):
        return _find_served(name, option, base_url)
    if is_file(name):
        function_of_file(option, name, "load")
        return Checkpoint(name, Path(name), sha256(Path(name).read_bytes()).hexdigest()[:16])
    path = _SHIPPED / name.removeprefix("mini/") if name.startswith("mini/") else Path(name)
    if is_hub_id(name) and not path.exists() and not name.startswith("mini/"):
        path, commit = fetch(name, option)
        return Checkpoint(name, path, commit[:16])
    if not (path / "config.json").is_file():
        if path.is_dir() and name not in ("", "."):
            raise UserError(f"{option} {name}: no config.json in {path}; give the folder of a checkpoint")
        raise UserError(f"{option} {name}: unknown model and no such folder; {nearest(name, shipped())}")
    weights = sorted(path.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{option} {name}: no *.safetensors in {path}")
    for file in weights:
        _check_whole(f"{option} {name}", file)
    found = Checkpoint(name, path, fingerprint(path))
    _check_card(f"{option} {name}", found)
    return found


def _find_served(name: str, option: str, base_url: str | None) -> Checkpoint:
    if base_url is None:
        raise UserError(f"{option} {name}: give its server as --base-url, such as http://127.0.0.1:8000/v1")
    from lcl_lab.models.server import check_server

    check_server(name.removeprefix(SERVED), base_url)
    return Checkpoint(
        name, Path(name.removeprefix(SERVED)), sha256(f"{base_url}\0{name}".encode()).hexdigest()[:16], base_url
    )


def fingerprint(path: Path) -> str:
    """16 hex digits over the files of a checkpoint that matter to its answers."""
    digest = sha256()
    for file in sorted(file for pattern in ("*.json", "*.jinja", "*.safetensors") for file in path.glob(pattern)):
        if file.name not in (CARD, TRAINING):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def training_of(name: str) -> str | None:
    """The strategy that a checkpoint's card says it was trained with; None where there is no card."""
    card = (_SHIPPED / name.removeprefix("mini/") if name.startswith("mini/") else Path(name)) / CARD
    return str(json.loads(card.read_text(encoding="utf-8"))["strategy"]) if card.is_file() else None


def load_model(checkpoint: Checkpoint, batch_size: int, dtype: str = "auto") -> Model:
    """The model, on a GPU where there is one, ready to answer. `dtype` is of its weights, see `models.needs`.

    Raises:
        UserError: `transformers` cannot load the checkpoint.
    """
    if checkpoint.base_url:
        from lcl_lab.models.server import ServerModel

        return ServerModel(checkpoint, batch_size)
    if is_file(str(checkpoint.path)):
        made: Model = function_of_file("--model", str(checkpoint.path), "load")()
        return made
    if is_prototype(checkpoint):
        from lcl_lab.models.mini.prototype import PrototypeModel

        return PrototypeModel(checkpoint)

    from lcl_lab.models.transformers_model import load_hf

    return load_hf(checkpoint, batch_size, dtype)


def is_prototype(checkpoint: Checkpoint) -> bool:
    """Whether it is the nearest-prototype classifier."""
    config = json.loads((checkpoint.path / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("model_type") == "prototype")


def _check_whole(what: str, file: Path) -> None:
    try:
        with safe_open(file, framework="numpy") as tensors:
            empty = not tensors.keys()
    except (SafetensorError, OSError) as error:
        raise UserError(f"{what}: {file} is damaged: {error}") from error
    if empty:
        raise UserError(f"{what}: {file} holds no tensors")


def _check_card(what: str, found: Checkpoint) -> None:
    """A model that came with a card must be what the card was written for."""
    card = found.path / CARD
    if card.is_file():
        expected = json.loads(card.read_text(encoding="utf-8"))["fingerprint"]
        if expected != found.fingerprint:
            raise UserError(
                f"{what}: {found.path} is damaged: its fingerprint is {found.fingerprint}, its card says {expected}"
            )
