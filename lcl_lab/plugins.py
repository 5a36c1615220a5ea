"""Users' own datasets, models and strategies: a Python file with one function, given by its path instead of a name."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from lcl_lab.errors import UserError, nearest

__all__ = ["file_fingerprint", "find_maker", "function_of_file", "is_file"]


def is_file(name: str) -> bool:
    """Whether a name is the path of a Python file."""
    return name.endswith(".py")


def find_maker(
    option: str, kind: str, name: str, known: Mapping[str, Callable[[], Any]], also: Sequence[str] = ()
) -> Callable[[], Any]:
    """The function that makes an object by name: one of `known`, or `load` of a Python file.

    Args:
        option: the option or argument that `name` was given for, such as ``data``.
        kind: what the object is, for the error message, such as ``dataset``.
        name: a key of `known`, or the path of a Python file.
        known: functions without arguments, by name.
        also: further names that the option accepts, suggested in the error message.

    Raises:
        UserError: the name is unknown, or the file cannot be used.
    """
    if is_file(name):
        return function_of_file(option, name, "load")
    if name not in known:
        reason = f"unknown {kind}; {nearest(name, [*known, *also])}"
        raise UserError(reason, option=option.removeprefix("--"), value=name)
    return known[name]


def function_of_file(option: str, file: str, function: str) -> Callable[..., Any]:
    """Run a Python file and return one of its functions.

    The file may import modules next to it or in the current folder. These are imported again on every call, so that
    the code that runs is the code that `file_fingerprint` describes.

    Args:
        option: the option or argument that the file was given for, such as ``model``.
        file: the path of the file.
        function: the name of the function.

    Raises:
        UserError: there is no such file, it raises an exception, or it does not define the function.
    """
    option = option.removeprefix("--")
    path = Path(file)
    if not path.is_file():
        raise UserError("no such file", option=option, value=file)
    try:
        module = _run(path)
    except Exception as error:
        raise UserError(f"{type(error).__name__}: {error}", option=option, value=file) from error
    defined: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(defined):
        raise UserError(f"the file does not define {function}()", option=option, value=file)
    return defined


def file_fingerprint(path: Path | str) -> str:
    """16 hex digits over a Python file and the local modules that it imports, directly or through one another.

    Local modules are those next to the file or in the current folder; installed packages do not count. Imports are
    found without running the file.

    Args:
        path: a Python file.

    Raises:
        UserError: the file cannot be read.
    """
    path = Path(path)
    try:
        digest = sha256(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    for name, module in sorted(_local_modules(path).items()):
        digest.update(b"\0" + name.encode() + b"\0" + module.read_bytes())
    return digest.hexdigest()[:16]


def _run(path: Path) -> ModuleType:
    roots = [str(folder) for folder in dict.fromkeys((path.parent.resolve(), Path.cwd()))]
    sys.path[:] = [*roots, *(folder for folder in sys.path if folder not in roots)]
    for name in _local_modules(path):
        if name.partition(".")[0] not in sys.stdlib_module_names:
            sys.modules.pop(name, None)
    importlib.invalidate_caches()
    module = ModuleType(f"lcl_lab_plugin_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    # Compiled code is found by the second and the size of a source file, so a quick edit could be missed.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    finally:
        sys.dont_write_bytecode = before
    return module


def _local_modules(path: Path) -> dict[str, Path]:
    """The files of all local modules that a file imports, by module name."""
    roots = (path.parent.resolve(), Path.cwd())
    modules: dict[str, Path] = {}
    pending = [(path, "")]
    while pending:
        file, package = pending.pop()
        for name in _imported_names(file, package):
            for module, source in _resolve(name, roots):
                if module not in modules:
                    modules[module] = source
                    is_package = source.name == "__init__.py"
                    pending.append((source, module if is_package else module.rpartition(".")[0]))
    return modules


def _imported_names(file: Path, package: str) -> Iterator[str]:
    """The dotted names that a file imports, anywhere in it; what cannot be parsed imports nothing."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, parents), *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _resolve(name: str, roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """The local modules that importing a dotted name runs: its packages, and the module itself."""
    parts = name.split(".")
    if parts[0] == "lcl_lab":
        return
    for root in roots:
        if not (root / parts[0]).is_dir() and not (root / f"{parts[0]}.py").is_file():
            continue
        for count in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:count])
            for source in (place / "__init__.py", place.with_name(f"{place.name}.py")):
                if source.is_file():
                    yield ".".join(parts[:count]), source
                    break
        return
