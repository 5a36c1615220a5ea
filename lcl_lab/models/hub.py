"""Checkpoints of the Hugging Face hub, downloaded once into the hub's own cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint_files import read_object

__all__ = ["fetch_adapter_from_hub", "fetch_from_hub"]

_FILES = ("*.json", "*.jinja", "*.safetensors", "*.model", "*.txt", "*.py")  # *.py runs only if trusted
_TIMEOUT = 10.0  # seconds for the first response
_HTTP_ERROR: Any = HfHubHTTPError.__bases__[0]  # base class of the errors of the hub client's HTTP library


def fetch_from_hub(name: str, option: str = "model", revision: str | None = None) -> tuple[Path, str]:
    """The local copy of a model on the hub, downloaded if needed. A cached model needs no connection.

    Args:
        name: organisation and model, such as ``llava-hf/llava-1.5-7b-hf``.
        option: the option that the name was given for, for error messages.
        revision: branch, tag or commit; default is the main branch.

    Returns:
        The folder of the checkpoint, and its commit.

    Raises:
        UserError: the hub has no such model, it does not accept images and text, or the hub cannot be reached.
    """
    with _errors_of_hub(name, option):
        try:
            folder, commit = _snapshot(name, local_files_only=True, revision=revision)
        except LocalEntryNotFoundError:
            latest = HfApi().model_info(name, revision=revision, timeout=_TIMEOUT).sha
            # The config comes first, so that a model of the wrong kind is reported before its weights are downloaded.
            _check_kind(_snapshot(name, revision=latest, allow_patterns=["config.json"])[0], name, option)
            folder, commit = _snapshot(name, revision=latest)
    _check_kind(folder, name, option)
    return folder, commit


def fetch_adapter_from_hub(name: str, option: str = "model") -> tuple[Path, str]:
    """The local copy of a PEFT adapter on the hub, downloaded if needed; see `fetch_from_hub`."""
    with _errors_of_hub(name, option):
        try:
            return _snapshot(name, local_files_only=True)
        except LocalEntryNotFoundError:
            return _snapshot(name)


@contextmanager
def _errors_of_hub(name: str, option: str) -> Iterator[None]:
    try:
        yield
    except GatedRepoError as error:
        reason = "the model is gated; accept its licence on its hub page and run `hf auth login`"
        raise UserError(reason, option=option, value=name) from error
    except RevisionNotFoundError as error:
        raise UserError(f"the model {name} has no such revision", option="revision") from error
    except RepositoryNotFoundError as error:
        raise UserError("no such folder, and no such model on the hub", option=option, value=name) from error
    except (_HTTP_ERROR, OSError) as error:
        reason = f"no such folder, and the hub cannot be reached: {' '.join(str(error).split())[:200]}"
        raise UserError(reason, option=option, value=name) from error


def _snapshot(name: str, *, allow_patterns: Sequence[str] = _FILES, **how: Any) -> tuple[Path, str]:
    folder = Path(snapshot_download(name, allow_patterns=list(allow_patterns), **how))
    return folder, folder.name


def _check_kind(folder: Path, name: str, option: str) -> None:
    kind = str(read_object(folder / "config.json", option, name).get("model_type"))
    if kind in CONFIG_MAPPING_NAMES and kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise UserError(f"a {kind} model does not accept images and text", option=option, value=name)
