"""Invented names: pronounceable words without meaning, portmanteaus, random letters, and names of every form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from lcl_lab.concepts.appearance import FACTORS

__all__ = ["SHORTEST_NAME", "Naming", "invent_names", "portmanteau", "random_name", "random_string"]

Naming = Literal["letters", "forms"]
"""Names in training: up to 10 random letters, as in the paper, or names of every form (see `random_name`)."""

SHORTEST_NAME = 4
"""Letters of an invented name, at least."""

_ONSETS = "b bl br ch d dr f fl g gl gr h j k kl kr l m n p pl pr r s sk sl st t tr v w z".split()
_VOWELS = "a e i o u ai ee oo".split()
_CODAS = "b d f g k l m n p r s t x z".split()
_ACCENTS = "áàâäãåçéèêëíîïñóôöõøúûüß"
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))
_DESCRIPTION_WORDS = {word for values in FACTORS.values() for value in values for word in value.split()}


def invent_names(rng: np.random.Generator, count: int, taken: Iterable[str] = ()) -> list[str]:
    """Invent distinct words of two syllables and 4 to 8 letters.

    Args:
        rng: the random generator.
        count: the number of names.
        taken: words that no name may equal or begin with.
    """
    avoid = set(taken) | _DESCRIPTION_WORDS
    names: dict[str, None] = {}
    while len(names) < count:
        parts = (_ONSETS, _VOWELS, _ONSETS, _VOWELS, _CODAS)
        name = "".join(str(rng.choice(part)) for part in parts)
        if SHORTEST_NAME <= len(name) <= 8 and not any(name.startswith(word) for word in avoid):
            names.setdefault(name)
    return list(names)


def portmanteau(first: str, second: str) -> str:
    """Join the head of one name and the tail of another: hedgehog + cactus → hedgtus."""
    head = first[: max(3, (len(first) + 1) // 2)]
    tail = second[len(second) // 2 :]
    overlap = 1 if head[-1] == tail[0] else 0
    return head + tail[overlap:]


def random_string(rng: np.random.Generator, shortest: int = 1, longest: int = 10) -> str:
    """A string of random lower-case letters, as the paper names positives in training (section 3.2).

    Args:
        rng: the random generator.
        shortest: the least number of letters.
        longest: the greatest number of letters.
    """
    return "".join(rng.choice(_LETTERS, size=rng.integers(shortest, longest + 1)))


def random_name(rng: np.random.Generator, longest: int = 40) -> str:
    """A name of any form that people give to things: letters, words, with hyphens, digits, capitals and accents.

    Args:
        rng: the random generator.
        longest: the greatest number of characters.
    """
    form = rng.integers(6)
    if form == 0:
        return random_string(rng)[:longest]
    name = _word(rng, int(rng.integers(1, 5)))
    if form in (1, 2):
        name += " " + _word(rng, int(rng.integers(1, 5)))
    elif form == 3:
        name += ("-", " ")[rng.integers(2)] + (_word(rng, 2), str(rng.integers(1000)))[rng.integers(2)]
    elif form == 4:
        place = int(rng.integers(len(name)))
        name = name[:place] + _ACCENTS[rng.integers(len(_ACCENTS))] + name[place + 1 :]
    if rng.random() < 0.25:
        name = name.title()
    return name[:longest].rstrip(" -")


def _word(rng: np.random.Generator, syllables: int) -> str:
    return "".join(
        str(rng.choice(_ONSETS)) + str(rng.choice(_VOWELS)) + (str(rng.choice(_CODAS)) if rng.random() < 0.4 else "")
        for _ in range(syllables)
    )
