from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from lcl_lab.concepts import Concept, Pair, World, load_dataset, look_alike_group, rename_concepts
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")


def plain(pairs: Sequence[tuple[str, str]], concepts: str = "abcdefg", **names: str) -> Any:
    """A dataset that knows nothing of its concepts but which are pairs."""
    return SimpleNamespace(
        name="plain",
        concepts={id: Concept(id, names.get(id, f"name {id}"), "", 9) for id in concepts},
        pairs=[Pair(*pair) for pair in pairs],
    )


@pytest.mark.parametrize("name", ["world-100", "isekai-mini", "world-dev"])
def test_look_alikes_of_a_world_differ_in_the_fewest_factors(name: str) -> None:
    world = load_dataset(name)
    assert isinstance(world, World)
    for pair in world.pairs[:5]:
        group = look_alike_group(world, pair, 6)
        assert group[:2] == tuple(pair)
        distance = {
            id: sum(world.appearances[id].distance(world.appearances[one]) for one in pair)
            for id in world.concepts
            if id not in pair
        }
        farthest = max(distance[id] for id in group[2:])
        nearer = [id for id in distance if distance[id] < farthest]
        assert set(nearer) <= set(group)


def test_a_smaller_group_is_the_beginning_of_a_larger_one() -> None:
    largest = look_alike_group(WORLD, WORLD.pairs[3], 100)
    assert set(largest) == set(WORLD.concepts)
    assert all(look_alike_group(WORLD, WORLD.pairs[3], ways) == largest[:ways] for ways in range(2, 100))


def test_other_names_do_not_change_the_group() -> None:
    renamed = rename_concepts(WORLD, "invented")
    assert look_alike_group(renamed, WORLD.pairs[1], 5) == look_alike_group(WORLD, WORLD.pairs[1], 5)


def test_pairs_connect_look_alikes_breadth_first() -> None:
    dataset = plain(["ab", "ac", "cd", "be"])
    assert look_alike_group(dataset, Pair("a", "b"), 7) == ("a", "b", "c", "e", "d", "f", "g")


def test_without_connections_the_next_concepts_follow() -> None:
    dataset = plain(["ab", "cd", "ef"])
    assert look_alike_group(dataset, Pair("e", "f"), 5) == ("e", "f", "g", "a", "b")


def test_a_concept_with_the_same_name_is_left_out() -> None:
    dataset = plain(["ab", "ac"], c="NAME  b")
    assert look_alike_group(dataset, Pair("a", "b"), 3) == ("a", "b", "d")


def test_too_few_concepts_are_reported() -> None:
    with pytest.raises(UserError, match="ways 101: world-100 has 100 concepts with different names; give at most 100"):
        look_alike_group(WORLD, WORLD.pairs[0], 101)


def test_a_dataset_may_list_look_alikes_itself() -> None:
    dataset = plain(["ab", "ac"])
    dataset.look_alikes = lambda pair: ["g", "a", "e", "c"]
    assert look_alike_group(dataset, Pair("a", "b"), 4) == ("a", "b", "g", "e")
    dataset.look_alikes = lambda pair: ["x"]
    with pytest.raises(UserError, match=r"^data: look_alikes\(\) of plain lists an unknown concept 'x'"):
        look_alike_group(dataset, Pair("a", "b"), 3)
