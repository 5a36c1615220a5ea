from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest

from lcl_lab.concepts import FACTORS, Appearance, description_words, random_appearance

RNG = np.random.default_rng(0)
APPEARANCES = [random_appearance(RNG) for _ in range(300)]


def test_there_are_more_than_100_000_appearances() -> None:
    combinations = prod(len(values) for values in FACTORS.values())
    same_colours = combinations // len(FACTORS["second"])  # both colours always differ
    assert combinations - same_colours >= 100_000


@pytest.mark.parametrize("factor", [factor for factor in FACTORS if factor not in ("colour", "second")])
def test_a_description_contains_every_factor(factor: str) -> None:
    for appearance in APPEARANCES[:50]:
        descriptions = {replace(appearance, **{factor: value}).describe() for value in FACTORS[factor]}
        assert len(descriptions) == len(FACTORS[factor])


def test_a_description_contains_both_colours() -> None:
    for appearance in APPEARANCES[:50]:
        others = [c for c in FACTORS["colour"] if c not in (appearance.colour, appearance.second)]
        descriptions = {replace(appearance, colour=c).describe() for c in others} | {
            replace(appearance, second=c).describe() for c in others
        }
        assert len(descriptions) == 2 * len(others)
        assert appearance.describe() not in descriptions


def test_descriptions_use_only_the_words_of_the_list() -> None:
    assert {word for appearance in APPEARANCES for word in appearance.describe().split()} <= set(description_words())


def test_varying_changes_the_named_factors_and_no_other() -> None:
    for appearance in APPEARANCES:
        factors = tuple(RNG.choice(list(FACTORS), size=2, replace=False))
        varied = appearance.vary(RNG, factors)
        assert {f for f in FACTORS if getattr(varied, f) != getattr(appearance, f)} == set(factors)
        assert varied.distance(appearance) == 2


def test_different_appearances_have_different_digests() -> None:
    assert len({appearance.digest() for appearance in APPEARANCES}) == len(set(APPEARANCES))


@pytest.mark.parametrize(("factor", "value"), [("silhouette", "cube"), ("count", "five"), ("second", "red")])
def test_an_invalid_appearance_is_refused(factor: str, value: str) -> None:
    appearance = Appearance("disc", "plain", "red", "blue", "horn", "one", "below")
    with pytest.raises(ValueError, match=value):
        replace(appearance, **{factor: value})
