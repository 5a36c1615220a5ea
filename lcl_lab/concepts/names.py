"""Invented names: pronounceable words that nothing knows, and portmanteaus of known ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lcl_lab.concepts.appearance import FACTORS

__all__ = ["invent_names", "portmanteau", "random_string"]

_ONSETS = "b bl br ch d dr f fl g gl gr h j k kl kr l m n p pl pr r s sk sl st t tr v w z".split()
_VOWELS = "a e i o u ai ee oo".split()
_CODAS = "b d f g k l m n p r s t x z".split()
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
_WORDS_OF_DESCRIPTIONS = {word for values in FACTORS.values() for value in values for word in value.split()}


def invent_names(rng: np.random.Generator, count: int, taken: Iterable[str] = ()) -> list[str]:
    """`count` different words of two syllables, 4 to 8 letters; none is, or begins with, one of `taken`."""
    avoid = set(taken) | _WORDS_OF_DESCRIPTIONS
    names: dict[str, None] = {}
    while len(names) < count:
        parts = (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _CODAS)
        name = "".join(str(rng.choice(part)) for part in parts)
        if 4 <= len(name) <= 8 and not any(name.startswith(word) for word in avoid):
            names.setdefault(name)
    return list(names)


def portmanteau(first: str, second: str) -> str:
    """The head of one name grown onto the tail of another: hedgehog + cactus → hedgtus."""
    head = first[: max(3, (len(first) + 1) // 2)]
    tail = second[len(second) // 2 :]
    overlap = 1 if head[-1] == tail[0] else 0
    return head + tail[overlap:]


def random_string(rng: np.random.Generator, shortest: int = 1, longest: int = 10) -> str:
    """Lower-case letters without meaning, as the paper names positives in training (section 3.2)."""
    return "".join(rng.choice(_LETTERS, size=rng.integers(shortest, longest + 1)))
