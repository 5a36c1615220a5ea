"""The fingerprint of a strategy: its values and the code of its functions, the same in every process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import partial
from hashlib import sha256
from types import CodeType, FunctionType, MethodType
from typing import Any

from lcl_lab.strategies.strategy import Strategy

__all__ = ["strategy_fingerprint"]


def strategy_fingerprint(strategy: Strategy) -> str:
    """16 hex digits that change when the strategy's values change, or the code of its functions.

    The code of a function counts with its defaults, the variables that it closes over, and the functions and values
    of its module that it uses; file names, line numbers and comments do not count.

    Args:
        strategy: the strategy. Where it has a `fingerprint`, this stands for the code of its functions.
    """
    digest = sha256()
    for part in _content(strategy, strategy.fingerprint is None, set()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def _content(value: Any, code: bool, visited: set[int]) -> Iterator[str]:
    """A value as a sequence of texts that are the same in every process; without `code`, functions do not count."""
    match value:
        case FunctionType() | MethodType() | partial() if not code:
            yield "function"
        case FunctionType():
            if id(value) not in visited:
                visited.add(id(value))
                yield from _function(value, visited)
        case MethodType():
            yield from _content((value.__func__, value.__self__), code, visited)
        case partial():
            yield from _content((value.func, value.args, sorted(value.keywords.items())), code, visited)
        case tuple() | list():
            yield f"{len(value)}"
            for item in value:
                yield from _content(item, code, visited)
        case dict():
            for key, item in value.items():
                yield repr(key)
                yield from _content(item, code, visited)
        case _ if is_dataclass(value) and not isinstance(value, type):
            yield type(value).__name__
            for field in fields(value):
                yield field.name
                yield from _content(getattr(value, field.name), code, visited)
        case _ if " at 0x" in repr(value):
            # Its text would contain its address; what is not a dataclass counts by its attributes.
            yield type(value).__name__
            yield from _content(getattr(value, "__dict__", {}), code, visited)
        case _:
            yield repr(value)


def _function(function: FunctionType, visited: set[int]) -> Iterator[str]:
    yield from _code(function.__code__)
    yield from _content((function.__defaults__, function.__kwdefaults__), True, visited)
    for cell in function.__closure__ or ():
        yield from _content(cell.cell_contents, True, visited)
    for name in sorted(set(_names(function.__code__)) & function.__globals__.keys()):
        value = function.__globals__[name]
        home = getattr(value, "__module__", None)
        if isinstance(value, int | float | str | tuple | list | dict) or (
            isinstance(value, FunctionType) and home == function.__module__
        ):
            yield name
            yield from _content(value, True, visited)


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant)
        else:
            yield repr(sorted(constant, key=repr) if isinstance(constant, frozenset) else constant)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
