from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from lcl_lab.concepts import load_concepts
from lcl_lab.episodes import check_shots, draw_episode, falsify, falsify_at
from lcl_lab.errors import UserError

WORLD = load_concepts("world-100")


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


@pytest.mark.parametrize("shots", [2, 6, 16])
def test_exactly_the_share_asked_for_is_false_and_shares_are_nested(shots: int) -> None:
    for query in range(20):
        false_before: set[int] = set()
        for step in range(21):
            support = falsify(draw_episode(WORLD, 0, query, shots), step / 20).support
            false = {k for k, example in enumerate(support) if example.false}
            assert len(false) == round(step / 20 * shots)
            assert false_before <= false
            false_before = false


def test_a_false_label_is_the_other_concepts_name() -> None:
    episode = falsify(draw_episode(WORLD, 0, 0, 16), 1.0)
    for example in episode.support:
        assert {example.label, example.true_label} == {episode.true_name, episode.other_name}
        assert WORLD.concepts[example.image.concept].name == example.true_label


def test_one_position_can_be_falsified() -> None:
    episode = draw_episode(WORLD, 0, 0, 16)
    for position in range(1, 17):
        false = [k for k, example in enumerate(falsify_at(episode, position).support, start=1) if example.false]
        assert false == [position]
    for position in (0, 17):
        with pytest.raises(IndexError):
            falsify_at(episode, position)


def test_labels_become_false_at_every_position_equally_often() -> None:
    counts = Counter(
        k
        for query in range(2000)
        for k, example in enumerate(falsify(draw_episode(WORLD, 0, query, 4), 0.25).support)
        if example.false
    )
    assert all(400 < counts[k] < 600 for k in range(4))


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
from lcl_lab.concepts import load_concepts
from lcl_lab.episodes import draw_episode, falsify
print(*(falsify(draw_episode(load_concepts("isekai-mini"), 1, query, 8), 0.5).id for query in range(50)))
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    concepts = load_concepts("isekai-mini")
    assert done.stdout.split() == [falsify(draw_episode(concepts, 1, query, 8), 0.5).id for query in range(50)]


@pytest.mark.parametrize(("shots", "message"), [(3, "even number, such as 4"), (-2, "even"), (128, "64 images")])
def test_impossible_shot_counts_are_told(shots: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_shots(WORLD, shots)


@pytest.mark.parametrize("shots", [0, 2, 126])
def test_possible_shot_counts_pass(shots: int) -> None:
    check_shots(WORLD, shots)
    assert len(draw_episode(WORLD, 0, 0, shots).support) == shots
