from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import check_shots, draw_episode, falsify, redraw
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


def test_every_concept_is_asked_for_once_in_as_many_queries_as_there_are_concepts() -> None:
    asked = Counter(draw_episode(WORLD, 5, query, 2).query.concept for query in range(100))
    assert asked == dict.fromkeys(WORLD.concepts, 1)


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


@pytest.mark.parametrize(("shots", "message"), [(3, "even number, such as 4"), (-2, "even"), (128, "64 images")])
def test_impossible_shot_counts_are_told(shots: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_shots(WORLD, shots)


@pytest.mark.parametrize("shots", [0, 2, 126])
def test_possible_shot_counts_pass(shots: int) -> None:
    check_shots(WORLD, shots)
    assert len(draw_episode(WORLD, 0, 0, shots).support) == shots


def test_another_support_of_the_same_query() -> None:
    drawn = draw_episode(WORLD, 0, 7, 8)
    assert redraw(WORLD, drawn, 0) == drawn
    others = [redraw(WORLD, drawn, number) for number in (1, 2, 2)]
    assert others[1] == others[2] != others[0]
    for other in others:
        assert (other.query, other.true_name, other.pair) == (drawn.query, drawn.true_name, drawn.pair)
        images = [example.image for example in other.support]
        assert len({*images, drawn.query}) == 9
        assert Counter(image.concept for image in images) == Counter(e.image.concept for e in drawn.support)
