"""A user's own dataset or model: a Python file with one function, given by its path instead of a name."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lcl_lab.errors import UserError, nearest

__all__ = ["find_maker", "function_of_file", "is_file"]


def is_file(name: str) -> bool:
    """Whether a name is the path of a Python file."""
    return name.endswith(".py")


def find_maker(
    option: str, kind: str, name: str, known: Mapping[str, Callable[[], Any]], beside: Sequence[str] = ()
) -> Callable[[], Any]:
    """What makes the thing of that name: one of `known`, or `load()` of a Python file.

    Raises:
        UserError: there is none; the nearest of `known`, or of what the option takes `beside` them, is told.
    """
    if is_file(name):
        return function_of_file(option, name, "load")
    if name not in known:
        raise UserError(f"{option} {name}: unknown {kind}; {nearest(name, [*known, *beside])}")
    return known[name]


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
