from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lcl_lab.concepts import World, load_dataset, look_alike_group
from lcl_lab.episodes import NONE_OF_THESE, draw_episode, open_set, redraw
from lcl_lab.errors import UserError
from lcl_lab.prompts import chat

WORLD = load_dataset("world-100")


@pytest.mark.parametrize("ways", [2, 3])
def test_a_query_from_outside_is_of_the_next_look_alike(ways: int) -> None:
    for query in range(60):
        drawn = draw_episode(WORLD, 0, query, 2 * ways, ways=ways)
        outside = open_set(drawn, 1.0)
        pair = next(pair for pair in WORLD.pairs if str(pair) == drawn.pair)
        assert outside.query.concept == look_alike_group(WORLD, pair, ways + 1)[-1]
        assert outside.query.concept not in {example.image.concept for example in outside.support}
        assert outside.true_name == NONE_OF_THESE
        assert outside.other_names == outside.concept_names == drawn.names
        assert outside.support == drawn.support


def test_a_query_from_the_support_gets_one_more_candidate() -> None:
    drawn = draw_episode(WORLD, 0, 3, 6, ways=3)
    inside = open_set(drawn, 0.0)
    assert inside.names == (*drawn.names, NONE_OF_THESE)
    assert inside.concept_names == drawn.names
    assert inside.query == drawn.query
    assert chat(inside).candidates == inside.names


def test_shares_are_nested_and_their_number_is_right() -> None:
    before: set[int] = set()
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        names = {query: open_set(draw_episode(WORLD, 1, query, 2), share).true_name for query in range(800)}
        outside = {query for query, name in names.items() if name == NONE_OF_THESE}
        assert before <= outside
        assert len(outside) / 800 == pytest.approx(share, abs=0.05)
        before = outside


def test_only_images_for_queries_are_drawn() -> None:
    assert isinstance(WORLD, World)
    contexts = replace(WORLD, concepts={id: replace(one, contexts=60) for id, one in WORLD.concepts.items()})
    numbers = {open_set(draw_episode(contexts, 0, query, 2), 1.0).query.number for query in range(200)}
    assert numbers == {60, 61, 62, 63}


def test_another_question_and_another_support() -> None:
    drawn = draw_episode(WORLD, 0, 0, 4)
    assert chat(open_set(drawn, 1.0, "Which one?")).turns[-1].parts[0] == "Which one?"
    assert len(redraw(open_set(drawn, 1.0), 1).support) == 4


@pytest.mark.parametrize(
    ("change", "share", "message"),
    [
        ({}, 1.5, "^share 1.5: must be a number from 0 to 1"),
        ({"dataset": None}, 1.0, "^episode: has no dataset"),
        ({"pair": "x~y"}, 1.0, "^episode: world-100 has no pair x~y"),
        ({"other_name": NONE_OF_THESE}, 0.5, "^episode: a concept is already named 'none of these'"),
    ],
)
def test_wrong_arguments_are_reported(change: dict[str, Any], share: float, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_set(replace(draw_episode(WORLD), **change), share)
