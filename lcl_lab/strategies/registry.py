"""Finds strategies by name: one file each in `named/`, those that were registered, and users' Python files."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache, partial
from importlib import import_module

from lcl_lab.errors import UserError
from lcl_lab.plugins import find_maker, is_file
from lcl_lab.strategies import named
from lcl_lab.strategies.strategy import Stage, Strategy

__all__ = ["available_strategies", "find_strategy", "register_strategy", "registered_strategies"]

_registered: dict[str, Strategy] = {}


def available_strategies() -> Mapping[str, Strategy]:
    """All strategies by name: those of the package, then the registered ones."""
    return {**_built_in(), **_registered}


def find_strategy(name: str | Strategy, also: Sequence[str] = ()) -> Strategy:
    """The strategy of a name, or the one that `load()` of a Python file returns.

    Args:
        name: a name of `available_strategies`, the path of a Python file with a function ``load()`` that returns a
            strategy, or a strategy, which is returned as it is.
        also: further names that the option accepts, suggested in the error message.

    Raises:
        UserError: there is no such strategy, or `load()` returns something else.
    """
    if not isinstance(name, str):
        return _checked(name, None)
    makers = {known: partial(available_strategies().__getitem__, known) for known in available_strategies()}
    strategy = find_maker("strategy", "strategy", name, makers, also)()
    return _checked(strategy, name) if is_file(name) else strategy


def register_strategy(strategy: Strategy) -> Strategy:
    """Make a strategy available under its name, to `train_model` and everything else that trains.

    The registration lasts as long as the process. A sweep that is started from it passes it on to its workers.

    Args:
        strategy: the strategy; one that was registered under the same name before is replaced.

    Returns:
        The strategy.

    Raises:
        UserError: it is not a valid strategy, or its name belongs to the package.
    """
    name = _checked(strategy, None).name
    if not name or is_file(name):
        raise UserError("a strategy needs a name that does not end with .py", option="strategy", value=name)
    if name in _built_in() and strategy != _built_in()[name]:
        raise UserError("a strategy of the package has this name; choose another", option="strategy", value=name)
    if name not in _built_in():
        _registered[name] = strategy
    return strategy


def registered_strategies() -> dict[str, Strategy]:
    """The strategies that were registered in this process, by name."""
    return dict(_registered)


@cache
def _built_in() -> Mapping[str, Strategy]:
    names = [module.name for module in pkgutil.iter_modules(named.__path__)]
    modules = [import_module(f"{named.__name__}.{name}") for name in names]
    return {strategy.name: strategy for module in modules for strategy in module.STRATEGIES}


def _checked(strategy: object, value: str | None) -> Strategy:
    """Check what a user wrote, since a wrong stage would fail only after everything is loaded."""

    def wrong(reason: str) -> UserError:
        return UserError(reason, option="strategy", value=value)

    if not isinstance(strategy, Strategy):
        raise wrong(f"must be a Strategy, not {type(strategy).__name__}")
    if not strategy.stages or not all(isinstance(stage, Stage) for stage in strategy.stages):
        raise wrong("stages must be a tuple with at least one Stage")
    for stage in strategy.stages:
        if stage.steps < 1 or stage.batch < 1 or stage.noise < 0 or not callable(stage.draw):
            raise wrong("every stage needs steps and batch of at least 1, noise of at least 0, and a draw function")
    if strategy.learning_rate <= 0:
        raise wrong(f"learning_rate must be above 0, not {strategy.learning_rate:g}")
    return strategy
