from __future__ import annotations

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.prompts import QUESTION, chat

WORLD = load_dataset("world-100")


def test_each_shot_is_a_question_with_its_image_and_the_label_shown() -> None:
    episode = falsify(draw_episode(WORLD, 0, 5, 4), 0.5)
    turns = chat(episode).turns
    assert [turn.role for turn in turns] == ["user", "assistant"] * 4 + ["user"]
    for example, question, answer in zip(episode.support, turns[::2], turns[1::2], strict=False):
        assert question.parts == (QUESTION, example.image)
        assert answer.parts == (example.label,)
    assert turns[-1].parts == (QUESTION, episode.query)


def test_the_true_name_is_the_first_candidate() -> None:
    episode = draw_episode(WORLD, 0, 5, 4)
    assert chat(episode).candidates == (episode.true_name, episode.other_name)


def test_images_come_in_reading_order_with_the_query_last() -> None:
    episode = draw_episode(WORLD, 0, 5, 4)
    assert chat(episode).images == (*(example.image for example in episode.support), episode.query)


def test_no_shots_leaves_the_query_alone() -> None:
    assert len(chat(draw_episode(WORLD, 0, 5, 0)).turns) == 1
