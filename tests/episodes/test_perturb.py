from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify, falsify_at, falsify_independently, redraw, rename, reorder
from lcl_lab.errors import UserError

WORLD = load_dataset("world-100")


@pytest.mark.parametrize("shots", [2, 6, 16])
def test_exactly_the_given_share_is_false_and_shares_are_nested(shots: int) -> None:
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
    for position, reason in ((0, "at least 1"), (17, "at most 16"), (1.0, "an integer")):
        with pytest.raises(UserError, match=rf"^position {position}: must be {reason}"):
            falsify_at(episode, position)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"^position 1: the support has no labels"):
        falsify_at(draw_episode(WORLD, shots=0), 1)


def test_labels_become_false_at_every_position_equally_often() -> None:
    counts = Counter(
        k
        for query in range(2000)
        for k, example in enumerate(falsify(draw_episode(WORLD, 0, query, 4), 0.25).support)
        if example.false
    )
    assert all(400 < counts[k] < 600 for k in range(4))


def test_labels_are_false_independently_of_each_other_and_of_other_queries() -> None:
    flips = np.array(
        [[e.false for e in falsify_independently(draw_episode(WORLD, 0, q, 8), 0.25).support] for q in range(1500)]
    )
    assert flips.mean(axis=0) == pytest.approx([0.25] * 8, abs=0.05)
    assert np.abs(np.corrcoef(flips.T) - np.eye(8)).max() < 0.1
    one, two = (falsify_independently(draw_episode(WORLD, 0, q, 8, queries_per_support=2), 0.5).support for q in (0, 1))
    assert [e.image for e in one] == [e.image for e in two]
    assert [e.false for e in one] != [e.false for e in two]


@pytest.mark.parametrize("balanced", [True, False])
def test_another_order_has_the_same_shots(balanced: bool) -> None:
    drawn = draw_episode(WORLD, 0, 3, 8)
    assert reorder(drawn, 0, balanced) == drawn
    orders = [reorder(drawn, number, balanced).support for number in range(1, 30)]
    assert all(sorted(order, key=str) == sorted(drawn.support, key=str) for order in orders)
    assert len(set(orders)) == len(orders)
    twos = [{order[k].label, order[k + 1].label} for order in orders for k in range(0, 8, 2)]
    assert all(len(two) == 2 for two in twos) is balanced


def test_other_names_leave_true_what_is_true() -> None:
    drawn = falsify_at(draw_episode(WORLD, 0, 3, 8), 2)
    names = {drawn.true_name: "wug", drawn.other_name: "dax"}
    renamed = rename(drawn, names)
    assert [e.image for e in renamed.support] == [e.image for e in drawn.support]
    assert [e.false for e in renamed.support] == [e.false for e in drawn.support]
    assert [e.label for e in renamed.support] == [names[e.label] for e in drawn.support]
    assert (renamed.true_name, renamed.other_name) == ("wug", "dax")


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan"), "0.5", True])
def test_a_share_out_of_range_is_reported(share: Any) -> None:
    episode = draw_episode(WORLD)
    with pytest.raises(UserError, match=rf"^ratio {share}: must be a number from 0 to 1"):
        falsify(episode, share)
    with pytest.raises(UserError, match=rf"^probability {share}: must be a number from 0 to 1"):
        falsify_independently(episode, share)


def test_an_order_out_of_range_is_reported() -> None:
    with pytest.raises(UserError, match=r"^order -1: must be at least 0"):
        reorder(draw_episode(WORLD), -1)


def test_names_that_are_missing_or_the_same_are_reported() -> None:
    episode = draw_episode(WORLD)
    with pytest.raises(UserError, match=rf"^names: no new name for '{episode.other_name}'"):
        rename(episode, {episode.true_name: "wug"})
    with pytest.raises(UserError, match=r"^names: the two concepts need different names"):
        rename(episode, {episode.true_name: "wug", episode.other_name: "wug"})


def test_perturbations_keep_the_dataset() -> None:
    drawn = draw_episode(WORLD)
    names = {drawn.true_name: "wug", drawn.other_name: "dax"}
    perturbed = [falsify(drawn, 0.5), falsify_at(drawn, 1), falsify_independently(drawn, 0.5), reorder(drawn, 1)]
    for episode in [*perturbed, reorder(drawn, 1, balanced=False), rename(drawn, names), redraw(drawn, 1)]:
        assert episode.dataset is WORLD
