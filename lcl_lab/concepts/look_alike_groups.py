"""Groups of look-alikes for n-way episodes: a pair, and the concepts that come closest to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from lcl_lab.concepts.dataset import comparable_name
from lcl_lab.errors import UserError, nearest_values

if TYPE_CHECKING:
    from lcl_lab.concepts.dataset import Dataset, Pair

__all__ = ["look_alike_group"]


def look_alike_group(dataset: Dataset, pair: Pair, ways: int) -> tuple[str, ...]:
    """The ids of n look-alikes: the two of a pair, then further ones, the closest first.

    A dataset with a method `look_alikes(pair)`, as a `World` has, lists them itself. Of any other, they are the
    concepts that its pairs connect with this pair: those paired with one of the two, then those paired with these, and
    so on; and last, all others in the order of the dataset, from the pair on. A concept with the name of an earlier one
    is left out. The same arguments always give the same group, and that of fewer ways is its beginning.

    Args:
        dataset: a dataset.
        pair: one of its pairs.
        ways: n, at least 2.

    Raises:
        UserError: the dataset has fewer concepts with different names, or its `look_alikes` lists an unknown one.
    """
    if ways == 2:
        return tuple(pair)
    group: dict[str, str] = {}  # ids by comparable name
    for id in chain(pair, _further(dataset, pair)):
        if id not in dataset.concepts:
            reason = f"look_alikes() of {dataset.name} lists an unknown concept {id!r}"
            raise UserError(f"{reason}; {nearest_values(str(id), map(str, dataset.concepts))}", option="data")
        group.setdefault(comparable_name(dataset.concepts[id].name), id)
        if len(group) == ways:
            return tuple(group.values())
    raise UserError(
        f"{dataset.name} has {len(group)} concepts with different names; give at most {len(group)}",
        option="ways",
        value=ways,
    )


def _further(dataset: Dataset, pair: Pair) -> Iterator[str]:
    """Other concepts, the closest first."""
    look_alikes = getattr(dataset, "look_alikes", None)
    if look_alikes is not None:
        yield from look_alikes(pair)
        return
    connected = list(_connected(dataset, pair))
    yield from connected
    ids = list(dataset.concepts)
    start = ids.index(pair.positive)
    known = {*pair, *connected}
    yield from (id for id in ids[start:] + ids[:start] if id not in known)


def _connected(dataset: Dataset, pair: Pair) -> Iterator[str]:
    """The concepts that pairs connect with a pair, breadth first, in the order of the pairs."""
    neighbours: dict[str, list[str]] = {}
    for first, second in dataset.pairs:
        neighbours.setdefault(first, []).append(second)
        neighbours.setdefault(second, []).append(first)
    seen, queue = set(pair), list(pair)
    for id in queue:
        for neighbour in neighbours.get(id, []):
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append(neighbour)
                yield neighbour
