"""Checkpoints of the Hugging Face hub, fetched once into its own cache."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError

__all__ = ["fetch", "is_hub_id"]

_FILES = ["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
_SECONDS = 10.0  # for the first answer


def is_hub_id(name: str) -> bool:
    """Whether a name can be one of the hub's: an organisation and a model."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) is not None


def fetch(name: str, option: str) -> tuple[Path, str]:
    """The folder of a hub model, and its commit. What is in the hub's cache is taken without asking the hub.

    Raises:
        UserError: there is no such model, it is no image-text model, or the hub cannot be reached.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    # The error of whichever HTTP library the hub's client uses: its own derive from it.
    any_http_error: Any = HfHubHTTPError.__bases__[0]

    what = f"{option} {name}"
    try:
        return _checked(what, Path(snapshot_download(name, allow_patterns=_FILES, local_files_only=True)))
    except LocalEntryNotFoundError:
        pass
    try:
        found = HfApi().model_info(name, timeout=_SECONDS)
        snapshot_download(name, revision=found.sha, allow_patterns=["config.json"])
        _checked(what, Path(snapshot_download(name, revision=found.sha, allow_patterns=["config.json"])))
        return _checked(what, Path(snapshot_download(name, allow_patterns=_FILES)))
    except GatedRepoError as error:
        raise UserError(
            f"{what}: the hub asks for an agreement; accept it on its page and run `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(f"{what}: no such folder, and the hub has no model of that name") from error
    except (any_http_error, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{what}: no such folder, and the hub cannot be reached: {reason}") from error


def _checked(what: str, folder: Path) -> tuple[Path, str]:
    """A snapshot of a model that answers prompts with images."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kind = str(config.get("model_type"))
    if kind in CONFIG_MAPPING_NAMES and kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise UserError(f"{what}: a {kind} model does not read images and text")
    return folder, folder.name
