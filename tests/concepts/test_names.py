from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import chisquare

from lcl_lab.concepts import description_words, random_name, random_string
from lcl_lab.concepts.names import invent_names, portmanteau


def test_invented_names_are_different_and_mean_nothing() -> None:
    names = invent_names(np.random.default_rng(0), 500, taken=["ban"])
    assert len(set(names)) == 500
    assert all(4 <= len(name) <= 8 and name.isalpha() and name.islower() for name in names)
    assert not any(name.startswith("ban") for name in names)
    assert not set(names) & set(description_words())


def test_a_portmanteau_joins_head_and_tail() -> None:
    assert portmanteau("hedgehog", "cactus") == "hedgtus"
    assert portmanteau("barrel", "anchor") == "barhor"


def test_random_strings_have_one_to_ten_letters_equally_often() -> None:
    rng = np.random.default_rng(0)
    strings = [random_string(rng) for _ in range(20_000)]
    lengths = Counter(map(len, strings))
    assert sorted(lengths) == list(range(1, 11))
    assert chisquare(list(lengths.values())).pvalue > 1e-3
    assert chisquare(list(Counter("".join(strings)).values())).pvalue > 1e-3


def test_random_names_have_every_form() -> None:
    names = [random_name(np.random.default_rng(seed)) for seed in range(2_000)]
    assert all(1 <= len(name) <= 40 and name == name.strip(" -") for name in names)
    assert len(set(names)) > 1_900
    for has in (
        lambda name: " " in name,
        lambda name: "-" in name,
        lambda name: any(letter.isdigit() for letter in name),
        lambda name: any(letter.isupper() for letter in name),
        lambda name: not name.isascii(),
        lambda name: len(name) > 20,
        lambda name: name.isascii() and name.isalpha() and name.islower(),
    ):
        assert 0.03 < np.mean([has(name) for name in names]) < 0.7
