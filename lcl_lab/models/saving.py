"""Saves a model of `transformers` with its processor, or an adapter alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from lcl_lab.errors import UserError

__all__ = ["save_adapter", "save_checkpoint"]


def save_checkpoint(model: Any, processor: Any, folder: Path) -> None:
    """Write a model and its processor to a folder.

    Raises:
        UserError: a file cannot be written (disk full, no permission, …).
    """
    with _reporting_errors(folder):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter of a model of `peft` to a folder, without the model's own weights.

    Raises:
        UserError: a file cannot be written (disk full, no permission, …).
    """
    with _reporting_errors(folder):
        model.save_pretrained(folder)
        (folder / "README.md").unlink(missing_ok=True)  # a form to fill in


@contextmanager
def _reporting_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot write {folder}: {str(error).splitlines()[0]}") from error
