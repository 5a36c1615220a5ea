from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lcl_lab.concepts import FACTORS, Appearance, description_words, random_appearance
from lcl_lab.concepts.appearance import count_appearances

RNG = np.random.default_rng(0)
LOOKS = [random_appearance(RNG) for _ in range(300)]


def test_there_are_more_than_100_000_looks() -> None:
    assert count_appearances() >= 100_000


@pytest.mark.parametrize("factor", [factor for factor in FACTORS if factor not in ("colour", "second")])
def test_a_description_tells_every_factor(factor: str) -> None:
    for look in LOOKS[:50]:
        told = {replace(look, **{factor: value}).describe() for value in FACTORS[factor]}
        assert len(told) == len(FACTORS[factor])


def test_a_description_tells_both_colours() -> None:
    for look in LOOKS[:50]:
        others = [c for c in FACTORS["colour"] if c not in (look.colour, look.second)]
        told = {replace(look, colour=c).describe() for c in others} | {
            replace(look, second=c).describe() for c in others
        }
        assert len(told) == 2 * len(others)
        assert look.describe() not in told


def test_descriptions_use_only_the_words_that_are_listed() -> None:
    assert {word for look in LOOKS for word in look.describe().split()} <= set(description_words())


def test_varying_changes_the_named_factors_and_no_other() -> None:
    for look in LOOKS:
        factors = tuple(RNG.choice(list(FACTORS), size=2, replace=False))
        varied = look.vary(RNG, factors)
        assert {f for f in FACTORS if getattr(varied, f) != getattr(look, f)} == set(factors)
        assert varied.distance(look) == 2


def test_digests_tell_looks_apart() -> None:
    assert len({look.digest() for look in LOOKS}) == len(set(LOOKS))


@pytest.mark.parametrize(("factor", "value"), [("silhouette", "cube"), ("count", "five"), ("second", "red")])
def test_a_look_that_cannot_be_is_refused(factor: str, value: str) -> None:
    look = Appearance("disc", "plain", "red", "blue", "horn", "one", "below")
    with pytest.raises(ValueError, match=value):
        replace(look, **{factor: value})
