"""Saves a model of `transformers` with its processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lcl_lab.errors import UserError

__all__ = ["save_checkpoint"]


def save_checkpoint(model: Any, processor: Any, folder: Path) -> None:
    """Write a model and its processor to a folder.

    Raises:
        UserError: a file cannot be written (disk full, no permission, …).
    """
    try:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot write {folder}: {str(error).splitlines()[0]}") from error
