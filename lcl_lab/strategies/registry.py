"""Finds a strategy by its name, or makes one with a user's file. A strategy is one file in `named/`."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from lcl_lab.errors import UserError, nearest
from lcl_lab.plugins import function_of_file, is_file
from lcl_lab.strategies import named
from lcl_lab.strategies.strategy import Strategy

__all__ = ["find_strategy", "strategies"]


@cache
def strategies() -> Mapping[str, Strategy]:
    """Every strategy of the package, by its name."""
    modules = [import_module(f"{named.__name__}.{found.name}") for found in pkgutil.iter_modules(named.__path__)]
    return {strategy.name: strategy for module in modules for strategy in module.STRATEGIES}


def find_strategy(name: str) -> Strategy:
    """The strategy of that name, or what `load()` returns in a Python file of that path.

    Raises:
        UserError: there is none.
    """
    if is_file(name):
        made: Strategy = function_of_file("--strategy", name, "load")()
        return made
    if name not in strategies():
        raise UserError(f"--strategy {name}: unknown strategy; {nearest(name, strategies())}")
    return strategies()[name]
