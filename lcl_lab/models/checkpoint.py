"""Finds models by name and checks their files, without loading weights or importing torch.

A name is one of: `mini/NAME` for a model that ships with the package, the name of a registered model, the folder of a
checkpoint or of a PEFT adapter, `BASE+ADAPTER` for another base, the path of a user's Python file, a model on the
Hugging Face hub, or `openai:NAME` for one on a server.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import get_args

from lcl_lab import models
from lcl_lab.errors import UserError, nearest
from lcl_lab.models.checkpoint_files import HASHED, check_code, check_metadata, check_weights, read_object
from lcl_lab.models.credentials import redact
from lcl_lab.models.interface import Images, Model, ModelSettings
from lcl_lab.models.user_models import load_user_file, registered_model
from lcl_lab.plugins import is_file
from lcl_lab.source_code import source_digest

__all__ = [
    "CARD",
    "HEURISTICS",
    "PROTOTYPE",
    "TRAINING",
    "Checkpoint",
    "find_checkpoint",
    "fingerprint",
    "is_heuristic",
    "is_hub_id",
    "is_on_hub",
    "is_prototype",
    "is_reference",
    "is_shikra",
    "is_shipped",
    "needs_preflight",
    "shipped",
    "shipped_folder",
    "shipped_name",
    "strategy_of",
]

CARD = "card.json"
"""File in a trained checkpoint that describes it; the model card."""
TRAINING = "training.json"
"""File in the folder of an unfinished training run that describes it."""
PROTOTYPE = "mini/prototype"
"""Name of the nearest-prototype classifier."""
HEURISTICS = tuple(f"heuristic/{rule}" for rule in ("link", "last", "majority", "nearest", "prior"))
"""Names of the reference models that follow a rule."""

_ADAPTER = "adapter_config.json"
_DEFAULTS = ModelSettings()
_SERVED = "openai:"
_HEURISTIC = "heuristic/"
_DATA = Path(str(files("lcl_lab"))) / "data"
_FAMILIES = {"mini": _DATA / "models", "photo": _DATA / "photo_models"}
_HASHED_BY_OLD_CARDS = HASHED[:3]  # cards of version 0.1 do not cover vocabularies


@dataclass(frozen=True)
class Checkpoint:
    """A model that was found and whose files are complete.

    Attributes:
        name: the name under which its answers are recorded.
        path: folder of the checkpoint, or the user's file; for a server, the name of the model there.
        fingerprint: 16 hex digits over its content; of a model on a server, over its address, its name, and what the
            server says of it.
        base_url: address of the server, or None.
        model: the model itself, if it is an object of the user.
        settings: how it is loaded and generates answers.
        adapter: folder of a PEFT adapter for its weights, or None.
        behaviour: 16 hex digits over how a model on a server answered a fixed prompt; cached answers depend on it.
    """

    name: str
    path: Path
    fingerprint: str
    base_url: str | None = None
    model: Model | None = field(default=None, compare=False, repr=False)
    settings: ModelSettings = field(default_factory=ModelSettings)
    adapter: Path | None = None
    behaviour: str = field(default="", compare=False)

    def identity(self) -> dict[str, object]:
        """What answers depend on: name, fingerprint, and the generation settings of models that generate text."""
        generates = self.model is None and not is_reference(self)
        settings = self.settings.identity() if generates else {}
        return {"name": self.name, "fingerprint": self.fingerprint, "generation": settings}


def shipped_folder(family: str = "mini") -> Path:
    """Folder of the models of a family, `mini` or `photo`, that ship with the package."""
    return _FAMILIES[family]


def shipped(*families: str) -> list[str]:
    """Names of the models that ship with the package, sorted.

    Args:
        families: only those of these families; all by default.
    """
    return sorted(
        f"{family}/{card.parent.name}"
        for family in families or _FAMILIES
        for card in _FAMILIES[family].glob(f"*/{CARD}")
    )


def shipped_name(checkpoint: Checkpoint) -> str | None:
    """The name of a model that ships with the package, whatever it is recorded as; None for another one."""
    families = (family for family, folder in _FAMILIES.items() if checkpoint.path.parent == folder)
    return next((f"{family}/{checkpoint.path.name}" for family in families), None)


def find_checkpoint(
    name: str, option: str = "model", base_url: str | None = None, settings: ModelSettings = _DEFAULTS
) -> Checkpoint:
    """Find a model by name and check that its files are complete.

    Args:
        name: see the module's description. `ALIAS=NAME` records its answers under `ALIAS`.
        option: the option or argument that the name was given for, for error messages.
        base_url: address of the server of `openai:NAME`.
        settings: how it is to be loaded and to generate answers.

    Raises:
        UserError: there is no such model, one of its files is missing or damaged, or it cannot follow the settings.
    """
    option = option.removeprefix("--")
    try:
        checkpoint = _find(name, option, base_url, settings)
    except (OSError, RecursionError, UnicodeError) as error:  # a name that no file can have, or a file without access
        reason = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise UserError(reason, option=option, value=name) from error
    if settings.images != "all":
        _check_images(checkpoint, settings.images)
    return checkpoint


def _find(name: str, option: str, base_url: str | None, settings: ModelSettings) -> Checkpoint:
    model = registered_model(name)
    if model is not None:
        return Checkpoint(name, Path(name), str(model.fingerprint), model=model)
    alias, equals, target = name.partition("=")
    if equals and alias and not Path(name).exists():
        return replace(find_checkpoint(target, option, base_url, settings), name=alias)
    if name.startswith(_HEURISTIC):
        return _heuristic(name, option)
    if name.startswith(_SERVED):
        return replace(_find_served(name, option, base_url), settings=settings)
    if is_file(name):
        model, content = load_user_file(name, option)
        return Checkpoint(name, Path(name), content, model=model)
    base, plus, adapter = name.partition("+")
    if plus and not Path(name).exists():
        return _adapted(name, find_checkpoint(base, option, base_url, settings), adapter, option)
    path = _folder(name)
    if _is_adapter(path):
        return _adapted(name, _base_of(path, option, settings), str(path), option)
    if is_on_hub(name):
        path, commit = models.fetch_from_hub(name, option, settings.revision)
        check_metadata(path, option, name)
        if settings.trust_remote_code:
            check_code(path, option, name)
        return Checkpoint(name, path, commit[:16], settings=settings)
    _check_is_folder(path, name, option)
    check_metadata(path, option, name)
    check_weights(path, option, name)
    if settings.trust_remote_code:
        check_code(path, option, name)
    patterns = (*HASHED, "**/*.py") if settings.trust_remote_code else HASHED
    checkpoint = Checkpoint(name, path, fingerprint(path, patterns), settings=settings)
    _check_card(checkpoint, option)
    return checkpoint


def is_hub_id(name: str) -> bool:
    """Whether a name can be a model on the Hugging Face hub: an organisation and a model."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None


def is_on_hub(name: str) -> bool:
    """Whether a name is that of a model on the hub rather than of anything on this machine."""
    ours = (*(f"{family}/" for family in _FAMILIES), _HEURISTIC)
    return is_hub_id(name) and not _folder(name).exists() and not name.startswith(ours)


def fingerprint(path: Path, patterns: Sequence[str] = HASHED) -> str:
    """16 hex digits over the files of a checkpoint that its answers depend on.

    Args:
        path: folder of the checkpoint.
        patterns: names of the files.
    """
    digest = sha256()
    for file in sorted(file for pattern in patterns for file in path.glob(pattern)):
        if file.name not in (CARD, TRAINING):
            digest.update(os.fsencode(file.name) + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def is_shikra(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is a converted one of Shikra or link-context learning."""
    return _model_type(checkpoint) == "lcl_shikra"


def strategy_of(name: str) -> str | None:
    """The strategy that a checkpoint was trained with, according to its card; None if it has no card.

    Args:
        name: as in `find_checkpoint`.
    """
    alias, equals, target = name.partition("=")
    named = equals and alias and not Path(name).exists()
    card = _folder(target if named else name) / CARD
    strategy = read_object(card, "model", name).get("strategy") if card.is_file() else None
    return None if strategy is None else str(strategy)


def is_embedded(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint has the architecture of the embedded models, or the CLIP that they are built around."""
    return _model_type(checkpoint) == "lcl_mini" or is_prototype(checkpoint)


def is_prototype(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is a nearest-prototype classifier."""
    return _model_type(checkpoint) in ("prototype", "lcl_photo_vision")


def is_heuristic(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is a reference model that follows a rule."""
    return str(checkpoint.path) in HEURISTICS


def is_reference(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint is a nearest-prototype classifier or follows a rule, and so generates no text."""
    return is_prototype(checkpoint) or is_heuristic(checkpoint)


def needs_preflight(checkpoint: Checkpoint) -> bool:
    """Whether memory, context length and names are checked before loading (see `check_requirements`).

    Models on servers and the user's objects are not loaded here; references have neither context nor tokenizer.
    """
    return checkpoint.base_url is None and checkpoint.model is None and not is_reference(checkpoint)


def is_shipped(checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint ships with the package."""
    return shipped_name(checkpoint) is not None


def _model_type(checkpoint: Checkpoint) -> str | None:
    """The type of model in a checkpoint's config; None for a model on a server or an object without a config."""
    config = checkpoint.path / "config.json"
    if checkpoint.base_url or not config.is_file():
        return None
    model_type = read_object(config, "model", checkpoint.name).get("model_type")
    return model_type if isinstance(model_type, str) else None


def _check_images(checkpoint: Checkpoint, images: str) -> None:
    if images not in get_args(Images):
        raise UserError(f"unknown; {nearest(images, get_args(Images))}", option="images", value=images)
    # No setting applies to references, which studies add.
    if not is_shikra(checkpoint) and not is_reference(checkpoint):
        reason = f"{checkpoint.name} is not a converted checkpoint of Shikra or LCL; it receives all images"
        raise UserError(reason, option="images", value=images)


def _is_adapter(path: Path) -> bool:
    return (path / _ADAPTER).is_file() and not (path / "config.json").is_file()


def _folder(name: str) -> Path:
    family, slash, model = name.partition("/")
    return _FAMILIES[family] / model if slash and family in _FAMILIES else Path(name)


def _base_of(adapter: Path, option: str, settings: ModelSettings) -> Checkpoint:
    """The model that an adapter was trained for, according to its config."""
    base = read_object(adapter / _ADAPTER, option, adapter).get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise UserError(f"its {_ADAPTER} names no base model", option=option, value=adapter)
    if _is_adapter(Path(base)):
        raise UserError(f"its base model, {base}, is an adapter itself; merge that first", option=option, value=adapter)
    try:
        return find_checkpoint(base, option, settings=settings)
    except UserError as error:
        reason = f"its base model: {error}; give another base as BASE+{adapter}"
        raise UserError(reason, option=option, value=adapter) from error


def _adapted(name: str, base: Checkpoint, adapter: str, option: str) -> Checkpoint:
    """A model with the weights of an adapter."""
    if base.adapter is not None:
        raise UserError(f"{base.name} is an adapter itself; merge it first", option=option, value=name)
    folder = Path(adapter)
    if not (folder / _ADAPTER).is_file() and is_hub_id(adapter):
        folder, _ = models.fetch_adapter_from_hub(adapter, option)
    weights = list(folder.glob("adapter_model*.safetensors"))
    if not (folder / _ADAPTER).is_file() or not weights:
        reason = f"no {_ADAPTER} with adapter_model.safetensors in {folder}"
        raise UserError(reason, option=option, value=name)
    check_metadata(folder, option, name)
    check_weights(folder, option, name)
    content = sha256(f"{base.fingerprint}\0{fingerprint(folder)}".encode()).hexdigest()[:16]
    return replace(base, name=name, fingerprint=content, adapter=folder)


def _heuristic(name: str, option: str) -> Checkpoint:
    if name not in HEURISTICS:
        raise UserError(f"unknown model; {nearest(name, HEURISTICS)}", option=option, value=name)
    code = source_digest("models/heuristics.py", "models/mini/*.py")
    features = fingerprint(_folder(PROTOTYPE))
    return Checkpoint(name, Path(name), sha256(f"{name}\0{code}\0{features}".encode()).hexdigest()[:16])


def _find_served(name: str, option: str, base_url: str | None) -> Checkpoint:
    if base_url is None:
        raise UserError("needs base_url, such as http://127.0.0.1:8000/v1", option=option, value=name)
    served = name.removeprefix(_SERVED)
    shown = models.check_server(served, base_url, option)
    content = sha256(f"{redact(base_url)}\0{name}\0{shown.description}".encode()).hexdigest()[:16]
    return Checkpoint(name, Path(served), content, base_url, behaviour=shown.behaviour)


def _check_is_folder(path: Path, name: str, option: str) -> None:
    if not (path / "config.json").is_file():
        if path.is_dir() and name not in ("", "."):
            reason = f"no config.json in {path}; give the folder of a checkpoint"
        else:
            reason = f"unknown model, and no such folder; {nearest(name, shipped())}"
        raise UserError(reason, option=option, value=name)


def _check_card(checkpoint: Checkpoint, option: str) -> None:
    """A checkpoint with a card must have the fingerprint that the card states."""
    card = checkpoint.path / CARD
    if card.is_file():
        expected = read_object(card, option, checkpoint.name).get("fingerprint")
        if expected not in (checkpoint.fingerprint, fingerprint(checkpoint.path, _HASHED_BY_OLD_CARDS)):
            reason = (
                f"{checkpoint.path} is damaged: its fingerprint is {checkpoint.fingerprint}, its card says {expected}"
            )
            raise UserError(reason, option=option, value=checkpoint.name)
