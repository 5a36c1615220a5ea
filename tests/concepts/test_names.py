from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.stats import chisquare

from lcl_lab.concepts import description_words, random_string
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
