"""The studies by name: one module each in this package, and those that users register."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from lcl_lab.errors import UserError, nearest
from lcl_lab.studies.study import Study

__all__ = ["find_studies", "find_study", "register_study"]

_registered: dict[str, Study[Any]] = {}


def find_studies() -> list[Study[Any]]:
    """All studies by name; a new module of this package with a `STUDY` is found automatically."""
    return [*_built_in().values(), *_registered.values()]


def find_study(name: str) -> Study[Any]:
    """The study of that name.

    Raises:
        UserError: there is none; names the nearest.
    """
    known = _built_in() | _registered
    if name not in known:
        raise UserError(f"unknown study; {nearest(name, known)}", option="study", value=name)
    return known[name]


def register_study(study: Study[Any]) -> None:
    """Make a study available by its name, to `run_study` and to the dashboard of this process.

    Raises:
        UserError: it is not a `Study`, or its name is that of a built-in study.
    """
    if not isinstance(study, Study):
        raise UserError(f"must be a Study, not a {type(study).__name__}", option="study")
    if study.name in _built_in():
        raise UserError("is the name of a built-in study; choose another", option="study", value=study.name)
    _registered[study.name] = study


@cache
def _built_in() -> dict[str, Study[Any]]:
    names = sorted(module.name for module in iter_modules([str(Path(__file__).parent)]))
    modules = {name: import_module(f"lcl_lab.studies.{name}") for name in names}
    return {name: module.STUDY for name, module in modules.items() if hasattr(module, "STUDY")}
