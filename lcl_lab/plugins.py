"""A user's own dataset or model: a Python file with one function, given by its path instead of a name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError

__all__ = ["function_of_file", "is_file"]


def is_file(name: str) -> bool:
    """Whether a name is the path of a Python file."""
    return name.endswith(".py")


def function_of_file(option: str, file: str, function: str) -> Callable[..., Any]:
    """The function of that name in the file.

    Raises:
        UserError: no such file, the file fails, or it has no such function; `option` says who asked.
    """
    path = Path(file)
    if not path.is_file():
        raise UserError(f"{option} {file}: no such file")
    spec = importlib.util.spec_from_file_location(f"lcl_lab_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UserError(f"{option} {file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f"{option} {file}: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise UserError(f"{option} {file}: has no function {function}()")
    made: Callable[..., Any] = found
    return made
