"""Finds a strategy by its name, or makes one with a user's file. A strategy is one file in `named/`."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import import_module

from lcl_lab.plugins import find_maker
from lcl_lab.strategies import named
from lcl_lab.strategies.strategy import Strategy

__all__ = ["find_strategy", "strategies"]


@cache
def strategies() -> Mapping[str, Strategy]:
    """Every strategy of the package, by its name."""
    modules = [import_module(f"{named.__name__}.{found.name}") for found in pkgutil.iter_modules(named.__path__)]
    return {strategy.name: strategy for module in modules for strategy in module.STRATEGIES}


def find_strategy(name: str, beside: Sequence[str] = ()) -> Strategy:
    """The strategy of that name, or what `load()` returns in a Python file of that path.

    Raises:
        UserError: there is none; `beside` are other names that the option takes.
    """
    makers = {known: partial(strategies().__getitem__, known) for known in strategies()}
    made: Strategy = find_maker("--strategy", "strategy", name, makers, beside)()
    return made
