"""The order of consecutive shots that show one image of each concept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["in_random_order"]

T = TypeVar("T")


def in_random_order(group: Sequence[T], rng: np.random.Generator) -> list[T]:
    """The items of a group in random order.

    Two are exchanged by a coin, and more permuted: another draw for two would change the episodes of stored records.
    """
    if len(group) <= 2:
        return list(group if rng.random() < 0.5 else group[::-1])
    return [group[k] for k in rng.permutation(len(group))]
