"""Models of users: objects that were registered, and Python files with a function `load()`."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from lcl_lab.errors import UserError
from lcl_lab.models.interface import Model
from lcl_lab.plugins import file_fingerprint, function_of_file

__all__ = ["load_user_file", "register_model", "registered_model"]

_MEMBERS = ("name", "fingerprint", "device", "answer")
_registered: dict[str, Model] = {}


def register_model(model: Model, name: str | None = None) -> None:
    """Make a model object available by name, to `load_model` and to every study.

    Registering another model under the same name replaces the earlier one. Registration lasts until the process ends.

    Args:
        model: an object with the members of `Model`.
        name: the name to register it under; default is the model's `name`.

    Raises:
        UserError: the object lacks a member of `Model`, or the name has another meaning.
    """
    _check_members(model, "the object")
    name = model.name if name is None else name
    if not name or name.startswith(("mini/", "photo/", "heuristic/", "openai:")) or name.endswith(".py") or "=" in name:
        reason = "a name must not be empty, start with mini/, heuristic/ or openai:, end with .py, or contain ="
        raise UserError(reason, option="name", value=name)
    _registered[name] = model


def registered_model(name: str) -> Model | None:
    """The model that was registered under a name, or None."""
    return _registered.get(name)


def load_user_file(file: str, option: str = "model") -> tuple[Model, str]:
    """The model that `load()` of a Python file returns, and its fingerprint.

    Args:
        file: path of the file.
        option: the option that the file was given for, for error messages.

    Returns:
        The model; and 16 hex digits over the file, the local modules that it imports, and the model's `fingerprint`.

    Raises:
        UserError: the file cannot be loaded, or what it returns is not a model.
    """
    load = function_of_file(option, file, "load")
    try:
        model: Any = load()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"load() failed: {type(error).__name__}: {error}", option=option, value=file) from error
    _check_members(model, "load() returned an object that", option, file)
    content = f"{file_fingerprint(file)}\0{model.fingerprint}"
    return model, sha256(content.encode()).hexdigest()[:16]


def _check_members(model: object, subject: str, option: str = "model", value: object = None) -> None:
    missing = [member for member in _MEMBERS if not hasattr(model, member)]
    if missing:
        needed = ", ".join(missing)
        value = type(model).__name__ if value is None else value
        raise UserError(f"{subject} has no {needed}; a model needs {', '.join(_MEMBERS)}", option=option, value=value)
