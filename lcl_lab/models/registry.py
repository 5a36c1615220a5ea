"""Finds models by name: `mini/NAME` ships with the package, else a checkpoint's folder or a user's file.

Finding reads files and imports no torch, so a wrong name or a damaged file is told at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from lcl_lab.errors import UserError, nearest
from lcl_lab.plugins import function_of_file, is_file

if TYPE_CHECKING:
    from lcl_lab.models.types import Model

__all__ = [
    "CARD",
    "PROTOTYPE",
    "TRAINING",
    "Checkpoint",
    "find_checkpoint",
    "fingerprint",
    "load_model",
    "shipped",
    "shipped_folder",
]

CARD = "card.json"
TRAINING = "training.json"  # what a training that is not finished is
PROTOTYPE = "mini/prototype"
_SHIPPED = Path(str(files("lcl_lab"))) / "data" / "models"


@dataclass(frozen=True)
class Checkpoint:
    """A model on disk that was looked at: its files are there and whole."""

    name: str
    path: Path
    fingerprint: str


def shipped_folder() -> Path:
    """Where the models of the package lie."""
    return _SHIPPED


def shipped() -> list[str]:
    """The names of the models in the package."""
    return sorted(f"mini/{card.parent.name}" for card in _SHIPPED.glob(f"*/{CARD}"))


def find_checkpoint(name: str, option: str = "--model") -> Checkpoint:
    """The checkpoint of that name; a Python file counts as one, its `load()` makes the model.

    `option` is the one that the name was given for.

    Raises:
        UserError: there is none, or a file of it is missing or damaged.
    """
    if is_file(name):
        function_of_file(option, name, "load")
        return Checkpoint(name, Path(name), sha256(Path(name).read_bytes()).hexdigest()[:16])
    path = _SHIPPED / name.removeprefix("mini/") if name.startswith("mini/") else Path(name)
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


def fingerprint(path: Path) -> str:
    """16 hex digits over the files of a checkpoint that matter to its answers."""
    digest = sha256()
    for file in sorted(file for pattern in ("*.json", "*.jinja", "*.safetensors") for file in path.glob(pattern)):
        if file.name not in (CARD, TRAINING):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def load_model(checkpoint: Checkpoint, batch_size: int) -> Model:
    """The model, on a GPU where there is one, ready to answer.

    Raises:
        UserError: `transformers` cannot load the checkpoint.
    """
    if is_file(checkpoint.name):
        made: Model = function_of_file("--model", checkpoint.name, "load")()
        return made
    if json.loads((checkpoint.path / "config.json").read_text(encoding="utf-8")).get("model_type") == "prototype":
        from lcl_lab.models.prototype import PrototypeModel

        return PrototypeModel(checkpoint)

    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils.logging import disable_progress_bar

    import lcl_lab.models.mini  # noqa: F401 - registers the embedded model's class
    from lcl_lab.models.hf import HFModel

    disable_progress_bar()
    try:
        model = AutoModelForImageTextToText.from_pretrained(checkpoint.path, dtype=torch.float32)
        processor = AutoProcessor.from_pretrained(checkpoint.path)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--model {checkpoint.name}: cannot load {checkpoint.path}: {reason}") from error
    if not getattr(processor, "chat_template", None) or not hasattr(processor, "image_token_id"):
        raise UserError(f"--model {checkpoint.name}: its processor has no chat template or no image token")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return HFModel(checkpoint.name, model.to(device), processor, checkpoint.fingerprint, batch_size)


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
