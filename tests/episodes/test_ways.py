"""Episodes with more than two concepts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from math import factorial
from typing import Any

import pytest

from lcl_lab.concepts import load_dataset, look_alike_group
from lcl_lab.episodes import (
    Episode,
    check_shots,
    draw_episode,
    episode_html,
    falsify,
    falsify_at,
    falsify_independently,
    is_correct_candidate,
    is_correct_open,
    redraw,
    rename,
    reorder,
)
from lcl_lab.errors import UserError
from lcl_lab.prompts import chat

WORLD = load_dataset("world-100")
GOLDEN = {
    "draw": "074986a81cfc1101",
    "shift": "db12ece882afb808",
    "derangement": "325b73e65249d303",
    "reorder": "afe6be3836e194a4",
    "redraw": "232b81b609971951",
}


def concepts(episode: Episode) -> list[str]:
    return [example.image.concept for example in episode.support]


@pytest.mark.parametrize("ways", [2, 3, 5, 8])
def test_every_n_shots_show_one_image_of_each_concept(ways: int) -> None:
    for query in range(60):
        episode = draw_episode(WORLD, 1, query, 3 * ways, ways=ways)
        pair = next(pair for pair in WORLD.pairs if str(pair) == episode.pair)
        group = look_alike_group(WORLD, pair, ways)
        shown = concepts(episode)
        assert all(sorted(shown[k : k + ways]) == sorted(group) for k in range(0, len(shown), ways))
        assert set(episode.names) == {WORLD.concepts[id].name for id in group}
        assert len({example.image for example in episode.support} | {episode.query}) == 3 * ways + 1
        assert not any(example.false for example in episode.support)


def test_two_ways_are_the_default() -> None:
    for query in range(20):
        assert draw_episode(WORLD, 0, query, 8, ways=2) == draw_episode(WORLD, 0, query, 8)


@pytest.mark.slow
def test_orders_of_a_group_are_uniform() -> None:
    orders = Counter(
        tuple(
            look_alike_group(WORLD, next(p for p in WORLD.pairs if str(p) == e.pair), 3).index(id) for id in concepts(e)
        )
        for e in (draw_episode(WORLD, 0, query, 3, ways=3) for query in range(3000))
    )
    assert len(orders) == factorial(3)
    assert all(400 < count < 600 for count in orders.values())


def test_supports_are_nested_and_the_query_is_the_same_for_all_ways() -> None:
    for query in range(30):
        supports = [draw_episode(WORLD, 2, query, shots, ways=3).support for shots in (3, 6, 12)]
        assert all(more[: len(fewer)] == fewer for fewer, more in pairwise(supports))
        two, five = (draw_episode(WORLD, 2, query, 4 * ways, ways=ways) for ways in (2, 5))
        assert (two.query, two.true_name, two.other_name) == (five.query, five.true_name, five.other_name)
        shown = {example.image for example in five.support}
        assert {example.image for example in two.support} <= shown


def test_queries_that_share_a_support_have_the_same_false_labels() -> None:
    first, second = (draw_episode(WORLD, 0, query, 8, queries_per_support=2, ways=4) for query in (4, 5))
    assert first.support == second.support
    assert first.true_name == second.other_name
    for labels in ("shift", "derangement"):
        assert falsify(first, 0.5, labels).support == falsify(second, 0.5, labels).support


@pytest.mark.parametrize("ways", [3, 5])
@pytest.mark.parametrize("labels", ["shift", "derangement"])
def test_false_labels_are_a_permutation_without_fixed_points(ways: int, labels: Any) -> None:
    for query in range(40):
        episode = draw_episode(WORLD, 0, query, 2 * ways, ways=ways)
        false = falsify(episode, 1.0, labels)
        replaced = {(example.true_label, example.label) for example in false.support}
        assert len(replaced) == ways
        assert {old for old, _ in replaced} == {new for _, new in replaced} == set(episode.names)
        assert all(old != new for old, new in replaced)
        half = falsify(episode, 0.5, labels).support
        assert sum(example.false for example in half) == ways
        assert all(one in (true, other) for one, true, other in zip(half, episode.support, false.support, strict=True))


def test_the_shift_is_cyclic_in_alphabetical_order() -> None:
    episode = draw_episode(WORLD, 0, 0, 4, ways=4)
    names = sorted(episode.names)
    for example in falsify(episode, 1.0).support:
        assert example.label == names[(names.index(example.true_label) + 1) % 4]


def test_all_derangements_are_drawn_equally_often() -> None:
    drawn = Counter()
    for query in range(2700):
        episode = draw_episode(WORLD, 0, query, 4, ways=4)
        names = sorted(episode.names)
        labels = {example.true_label: example.label for example in falsify(episode, 1.0, "derangement").support}
        drawn[tuple(names.index(labels[name]) for name in names)] += 1
    assert len(drawn) == 9  # !4
    assert all(230 < count < 370 for count in drawn.values())


def test_unknown_false_labels_are_reported() -> None:
    with pytest.raises(UserError, match=r"^labels derange: did you mean 'derangement'"):
        falsify(draw_episode(WORLD), 0.5, "derange")  # type: ignore[arg-type]


def test_the_other_perturbations_keep_all_names() -> None:
    drawn = draw_episode(WORLD, 0, 3, 9, ways=3)
    assert [k for k, example in enumerate(falsify_at(drawn, 4).support) if example.false] == [3]
    assert any(example.false for example in falsify_independently(drawn, 0.5).support)
    balanced = reorder(drawn, 1)
    assert all(len(set(concepts(balanced)[k : k + 3])) == 3 for k in (0, 3, 6))
    again = redraw(drawn, 1)
    assert Counter(concepts(again)) == Counter(concepts(drawn))
    assert again.query not in {example.image for example in again.support}
    assert all(len(set(concepts(again)[k : k + 3])) == 3 for k in (0, 3, 6))
    names = dict(zip(drawn.names, ("wug", "dax", "blick"), strict=True))
    renamed = rename(falsify(drawn, 0.5), names)
    assert renamed.names == ("wug", "dax", "blick")
    assert sum(example.false for example in renamed.support) == 4
    with pytest.raises(UserError, match="names: all concepts need different names"):
        rename(drawn, dict.fromkeys(drawn.names, "wug"))


def test_an_episode_shows_all_names() -> None:
    episode = draw_episode(WORLD, 0, 0, 3, ways=3)
    assert chat(episode).candidates == episode.names
    assert all(name in str(episode) and name in episode_html(replace(episode, dataset=None)) for name in episode.names)
    assert episode.id != replace(episode, further_names=()).id


@pytest.mark.parametrize(
    ("shots", "ways", "message"),
    [
        (8, 3, "^shots 8: the shots belong to 3 concepts in equal parts; give a multiple of 3, such as 9"),
        (7, 3, "such as 6"),
        (200, 3, "such as 189"),
        (192, 3, "64 images, enough for 189 shots and a query"),
        (4, 1, "^ways 1: must be at least 2"),
        (4, "2", "^ways '?2'?: must be an integer"),
        (303, 101, "^ways 101: world-100 has 100 concepts"),
    ],
)
def test_impossible_ways_are_reported(shots: int, ways: Any, message: str) -> None:
    for check in (lambda: check_shots(WORLD, shots, ways=ways), lambda: draw_episode(WORLD, shots=shots, ways=ways)):
        with pytest.raises(UserError, match=message):
            check()


def test_text_must_name_none_of_the_others() -> None:
    others = ("dax", "blick")
    for rule in ("strict", "paper", "release"):
        assert is_correct_open("a wug", "wug", others, rule)  # type: ignore[arg-type]
        assert not is_correct_open("a wug or a blick", "wug", others, rule)  # type: ignore[arg-type]
        assert not is_correct_open("a blick", "wug", others, rule)  # type: ignore[arg-type]
    assert is_correct_open("a wug, not a blick", "wug", others)


def test_the_true_name_must_be_more_likely_than_all_others() -> None:
    assert is_correct_candidate(-1.0, -2.0, -1.5)
    assert not is_correct_candidate(-1.0, -2.0, -1.0)
    assert not is_correct_candidate(-1.0, -2.0, -0.5)


def test_episodes_are_those_of_stored_records() -> None:
    """Random streams must never change: stored records refer to episodes by id."""
    drawn = [
        draw_episode(name, seed, query, 2 * ways, ways=ways)
        for name in ("world-100", "isekai-mini")
        for seed in (0, 5)
        for query in range(0, 110, 7)
        for ways in (3, 5)
    ]
    ids = {
        "draw": [e.id for e in drawn],
        "shift": [falsify(e, 0.5).id for e in drawn],
        "derangement": [falsify(e, 0.5, "derangement").id for e in drawn],
        "reorder": [reorder(e, 1).id for e in drawn],
        "redraw": [redraw(e, 1).id for e in drawn],
    }
    digests = {name: blake2b(" ".join(each).encode(), digest_size=8).hexdigest() for name, each in ids.items()}
    assert digests == GOLDEN
