from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import pytest

from lcl_lab.concepts import World, load_dataset
from lcl_lab.episodes import (
    check_shots,
    draw_episode,
    falsify,
    falsify_at,
    falsify_independently,
    redraw,
    rename,
    reorder,
)
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")


@pytest.mark.parametrize("shots", [0, 2, 8, 16])
def test_half_of_the_shots_are_of_each_concept(shots: int) -> None:
    for query in range(20):
        episode = draw_episode(WORLD, 0, query, shots)
        counts = Counter(example.label for example in episode.support)
        assert counts == ({episode.true_name: shots // 2, episode.other_name: shots // 2} if shots else {})


def test_no_image_occurs_twice_and_the_query_is_not_in_the_support() -> None:
    for query in range(100):
        episode = draw_episode(WORLD, 0, query, 16)
        images = {example.image for example in episode.support} | {episode.query}
        assert len(images) == 17


def test_the_query_is_of_the_concept_of_the_true_name() -> None:
    for query in range(100):
        episode = draw_episode(WORLD, 0, query, 2)
        assert WORLD.concepts[episode.query.concept].name == episode.true_name != episode.other_name


def test_a_support_begins_with_that_of_fewer_shots() -> None:
    for query in range(50):
        episodes = [draw_episode(WORLD, 0, query, shots) for shots in (2, 4, 10, 16)]
        for fewer, more in pairwise(episodes):
            assert more.support[: len(fewer.support)] == fewer.support
            assert more.query == fewer.query


def test_every_concept_is_the_query_once_per_round_of_all_concepts() -> None:
    counts = Counter(draw_episode(WORLD, 5, query, 2).query.concept for query in range(100))
    assert counts == dict.fromkeys(WORLD.concepts, 1)


def test_an_episode_depends_on_seed_and_query_alone() -> None:
    forwards = {query: draw_episode(WORLD, 3, query, 8) for query in range(30)}
    backwards = {query: draw_episode(WORLD, 3, query, 8) for query in reversed(range(30))}
    assert forwards == backwards
    assert all(draw_episode(WORLD, 4, query, 8).support != forwards[query].support for query in range(30))


def test_another_process_draws_the_same_episodes() -> None:
    program = """
from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
print(*(falsify(draw_episode(load_dataset("isekai-mini"), 1, query, 8), 0.5).id for query in range(50)))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    concepts = load_dataset("isekai-mini")
    assert done.stdout.split() == [falsify(draw_episode(concepts, 1, query, 8), 0.5).id for query in range(50)]


@pytest.mark.parametrize(
    ("shots", "message"),
    [
        (3, "even number, such as 4"),
        (127, "even number, such as 126"),
        (201, "even number, such as 126"),
        (-2, "must be at least 0"),
        (128, "64 images, enough for 126 shots and a query"),
        (4.0, "must be an integer"),
        ("4", "must be an integer"),
    ],
)
def test_impossible_numbers_of_shots_are_reported(shots: Any, message: str) -> None:
    for check in (lambda: check_shots(WORLD, shots), lambda: draw_episode(WORLD, shots=shots)):
        with pytest.raises(UserError, match=rf"^shots {shots}: .*{message}"):
            check()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "^seed -1: must be at least 0"),
        ({"query_id": -1}, "^query_id -1: must be at least 0"),
        ({"query_id": 1.5}, r"^query_id 1\.5: must be an integer"),
        ({"queries_per_support": 0}, "^queries_per_support 0: must be at least 1"),
        ({"queries_per_support": 6, "shots": 124}, "64 images, enough for 122 shots and 6 queries"),
        ({"queries_per_support": 200}, "enough for 0 shots and 200 queries"),
    ],
)
def test_impossible_arguments_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        draw_episode(WORLD, **arguments)


def test_a_dataset_may_be_given_by_name_and_is_remembered() -> None:
    assert draw_episode("world-100") == draw_episode(WORLD, 0, 0, 8)
    assert draw_episode("world-100").dataset is WORLD
    with pytest.raises(UserError, match="unknown dataset; did you mean 'world-100'"):
        draw_episode("world100")


def test_only_the_concepts_of_the_pair_limit_the_shots_of_an_episode() -> None:
    assert isinstance(WORLD, World)
    few = replace(WORLD, concepts={**WORLD.concepts, "002": replace(WORLD.concepts["002"], images=3)})
    assert len(draw_episode(few, query_id=0, shots=8).support) == 8
    for check in (lambda: draw_episode(few, query_id=1, shots=8), lambda: check_shots(few, 8)):
        with pytest.raises(UserError, match="has 3 images, enough for 4 shots and a query"):
            check()


def test_too_few_images_for_queries_are_reported() -> None:
    assert isinstance(WORLD, World)
    concepts = {id: replace(concept, contexts=63) for id, concept in WORLD.concepts.items()}
    contexts = replace(WORLD, concepts=concepts)
    assert len(draw_episode(contexts, shots=126, queries_per_support=2).support) == 126
    with pytest.raises(UserError, match=r"^queries_per_support 3: concept .* has 1 images for queries"):
        draw_episode(contexts, shots=4, queries_per_support=3)


GOLDEN = {
    "draw": "349d7ff7ad35be19",
    "falsify": "e31d67fa875a4b13",
    "falsify_at": "c9a92dac4c87e04d",
    "falsify_independently": "4bcc8d7d71ac9e2f",
    "reorder": "80c42b577d329fcf",
    "redraw": "626c19286d3b677f",
    "rename": "8fcb4a97b383fbbd",
}


def test_episodes_are_those_of_stored_records() -> None:
    """Random streams must never change: stored records refer to episodes by id."""
    drawn = [
        draw_episode(name, seed, query, shots, per_support)
        for name in ("world-100", "isekai-mini")
        for per_support in (1, 3)
        for seed in (0, 5)
        for query in range(0, 110, 7)
        for shots in (2, 16)
    ]
    ids = {
        "draw": [e.id for e in drawn],
        "falsify": [falsify(e, ratio).id for e in drawn for ratio in (0.25, 0.5)],
        "falsify_at": [falsify_at(e, 2).id for e in drawn],
        "falsify_independently": [falsify_independently(e, 0.3).id for e in drawn],
        "reorder": [reorder(e, 1).id + reorder(e, 2, balanced=False).id for e in drawn],
        "redraw": [redraw(e, 1).id for e in drawn],
        "rename": [rename(e, {e.true_name: "wug", e.other_name: "dax"}).id for e in drawn],
    }
    digests = {name: blake2b(" ".join(each).encode(), digest_size=8).hexdigest() for name, each in ids.items()}
    assert digests == GOLDEN


@pytest.mark.parametrize("shots", [0, 2, 126])
def test_possible_numbers_of_shots_pass(shots: int) -> None:
    check_shots(WORLD, shots)
    assert len(draw_episode(WORLD, 0, 0, shots).support) == shots


def test_another_support_of_the_same_query() -> None:
    drawn = draw_episode(WORLD, 0, 7, 8)
    assert redraw(drawn, 0) == drawn
    others = [redraw(drawn, number) for number in (1, 2, 2)]
    assert others[1] == others[2] != others[0]
    for other in others:
        assert (other.query, other.true_name, other.pair) == (drawn.query, drawn.true_name, drawn.pair)
        images = [example.image for example in other.support]
        assert len({*images, drawn.query}) == 9
        assert Counter(image.concept for image in images) == Counter(e.image.concept for e in drawn.support)


def test_a_redraw_needs_a_dataset_and_a_number() -> None:
    drawn = draw_episode(WORLD)
    with pytest.raises(UserError, match=r"^draw -1: must be at least 0"):
        redraw(drawn, -1)
    with pytest.raises(UserError, match=r"^episode: has no dataset"):
        redraw(replace(drawn, dataset=None), 1)
    with pytest.raises(UserError, match="world-100 has no pair x~y"):
        redraw(replace(drawn, pair="x~y"), 1)
