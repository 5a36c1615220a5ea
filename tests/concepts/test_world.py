from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lcl_lab.concepts import ImageRef
from lcl_lab.concepts.world import (
    FIRST_TRAINING_IMAGE,
    World,
    held_out_appearances,
    isekai_mini,
    known_appearances,
    world_100,
    world_900,
    world_dev,
)

WORLDS = [world_900(), world_100(), world_dev(), isekai_mini()]


def test_no_appearance_and_no_name_is_in_two_sets() -> None:
    appearances = [appearance for world in WORLDS for appearance in world.appearances.values()]
    names = [concept.name for world in WORLDS for concept in world.concepts.values()]
    assert len(set(appearances)) == len(appearances) == 900 + 100 + 100 + 40
    assert len(set(names)) == len(names)


def test_world_900_has_many_look_alikes_of_each_concept() -> None:
    appearances = list(world_900().appearances.values())
    for appearance in appearances[::50]:
        assert sum(appearance.distance(other) <= 3 for other in appearances) > 5


@pytest.mark.parametrize("world", [world_100(), world_dev()], ids=lambda world: world.name)
def test_pairs_of_look_alikes_differ_in_three_factors(world: World) -> None:
    assert [tuple(pair) for pair in world.pairs] == [(f"{k:03}", f"{k + 1:03}") for k in range(0, 100, 2)]
    assert {world.appearances[a].distance(world.appearances[b]) for a, b in world.pairs} == {3}


def test_isekai_mini_pairs_20_known_concepts_with_unreal_fusions() -> None:
    world = isekai_mini()
    assert len(world.pairs) == 20
    assert len(world.concepts) == 40
    for positive, negative in world.pairs:
        unreal, real = world.concepts[positive], world.concepts[negative]
        assert unreal.images >= 32
        assert real.name in known_appearances()
        assert unreal.name.endswith(real.name[-3:])
        assert real.name in unreal.description
        assert 1 <= world.appearances[positive].distance(world.appearances[negative]) <= 3


def test_concepts_for_evaluation_are_held_out_of_training() -> None:
    unreal = {isekai_mini().appearances[pair.positive] for pair in isekai_mini().pairs}
    assert held_out_appearances() == {*world_100().appearances.values(), *world_dev().appearances.values()} | unreal
    assert held_out_appearances().isdisjoint(world_900().appearances.values())
    assert held_out_appearances().isdisjoint(known_appearances().values())


def test_an_image_that_a_concept_does_not_have_is_an_index_error() -> None:
    world = world_100()
    with pytest.raises(IndexError, match="64 images, no number 64"):
        world.image(ImageRef("world-100", "000", 64))
    assert world.pixels("000", FIRST_TRAINING_IMAGE).shape == (64, 64, 3)


def test_fingerprints_are_those_that_runs_and_model_cards_refer_to() -> None:
    assert {world.name: world.fingerprint for world in WORLDS} == {
        "world-900": "cd859e901d8ace3d",
        "world-100": "8c5f411ccf75631d",
        "world-dev": "7d4c08b866f81ba1",
        "isekai-mini": "f194715e7761f812",
    }


def test_another_process_makes_the_same_worlds() -> None:
    program = """
from lcl_lab.concepts.world import isekai_mini, world_100, world_900, world_dev
print(*(world.fingerprint for world in (world_900(), world_100(), world_dev(), isekai_mini())))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [world.fingerprint for world in WORLDS]
