from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import ModuleType

import pytest

from lcl_lab.strategies import Stage, Strategy, available_strategies, strategy_fingerprint

SOURCE = """
from functools import partial
from lcl_lab.strategies import Stage, Strategy, fixed_shots

SHOTS = 6

def shots(rng):
    return SHOTS

def draw(data, rng):
    return data.links.draw(rng, shots(rng))

def repeated(times):
    return lambda data, rng: data.links.draw(rng, times)

class Drawer:
    def __init__(self, shots):
        self.shots = shots
    def draw(self, data, rng):
        return data.links.draw(rng, self.shots)

STRATEGY = Strategy("mine", "base", (
    Stage(5, 4, draw), Stage(5, 4, repeated(3)), Stage(5, 4, Drawer(2).draw), Stage(5, 4, partial(draw, rng=1)),
))
"""


def fingerprint(source: str) -> str:
    module = ModuleType("mine")
    exec(compile(source, "mine.py", "exec"), module.__dict__)
    return strategy_fingerprint(module.STRATEGY)


def test_strategies_of_the_package_have_different_fingerprints() -> None:
    known = available_strategies().values()
    assert len({strategy_fingerprint(strategy) for strategy in known}) == len(known)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SHOTS = 6", "SHOTS = 8"),  # a value of the module
        ("return SHOTS", "return SHOTS + 1"),  # a function that draw calls
        ("shots(rng))", "shots(rng) - 1)"),  # draw itself
        ("repeated(3)", "repeated(4)"),  # a variable that a lambda closes over
        ("Drawer(2)", "Drawer(3)"),  # an attribute of the object whose method it is
        ("rng=1", "rng=2"),  # an argument of a partial
        ("Stage(5", "Stage(6"),
        ('"base"', '"2-way"'),
    ],
)
def test_any_change_of_what_is_drawn_changes_the_fingerprint(old: str, new: str) -> None:
    assert old in SOURCE
    assert fingerprint(SOURCE.replace(old, new)) != fingerprint(SOURCE)


def test_comments_and_places_do_not_count() -> None:
    assert fingerprint(
        "# A comment.\n\n\n" + SOURCE.replace("return SHOTS", "return SHOTS  # as usual")
    ) == fingerprint(SOURCE)


def test_another_process_gets_the_same_fingerprint() -> None:
    code = (
        "from lcl_lab.strategies import *; print(*map(strategy_fingerprint, available_strategies().values()), sep=',')"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == ",".join(map(strategy_fingerprint, available_strategies().values()))


def test_a_fingerprint_that_is_given_stands_for_the_code() -> None:
    def strategy(draw: Callable, version: str) -> Strategy:
        return Strategy("mine", "base", (Stage(5, 4, draw),), fingerprint=version)

    one = strategy(lambda data, rng: data.links.draw(rng, 2), "1")
    other_code = strategy(partial(lambda data, rng, shots: data.links.draw(rng, shots), shots=3), "1")
    assert strategy_fingerprint(one) == strategy_fingerprint(other_code)
    assert strategy_fingerprint(one) != strategy_fingerprint(replace(one, fingerprint="2"))
