from __future__ import annotations

from dataclasses import replace

import pytest

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.models import PROTOTYPE, find_checkpoint, load_model
from lcl_lab.prompts import chat

WORLD = load_dataset("world-100")


def accuracy(shots: int, ratio: float, data: str = "world-100", queries: int = 60) -> float:
    concepts = load_dataset(data)
    model = load_model(find_checkpoint(PROTOTYPE), 1)
    prompts = [chat(falsify(draw_episode(concepts, 0, query, shots), ratio)) for query in range(queries)]
    correct = [answer.logliks[0].total > answer.logliks[1].total for answer in model.answer(prompts, concepts.image)]
    return sum(correct) / len(correct)


def test_shipped_objects_are_neither_impossible_nor_trivial_to_distinguish() -> None:
    assert 0.75 <= accuracy(2, 0.0, "isekai-mini", 400) <= 0.97


@pytest.mark.slow
def test_it_follows_true_and_false_labels() -> None:
    assert accuracy(16, 0.0) > 0.9
    assert accuracy(16, 1.0) < 0.1


def test_it_does_not_guess_between_equally_likely_names() -> None:
    model = load_model(find_checkpoint(PROTOTYPE), 1)
    episode = draw_episode(WORLD, 0, 0, 4)
    prompt = replace(chat(episode), candidates=("neither", "nor"))
    (answer,) = model.answer([prompt], WORLD.image)
    assert answer.logliks[0] == answer.logliks[1]
    assert answer.text == ""


def test_a_name_outside_the_support_is_never_preferred() -> None:
    model = load_model(find_checkpoint(PROTOTYPE), 1)
    episode = draw_episode(WORLD, 0, 0, 4)
    shown = [example for example in episode.support if example.label == episode.true_name]
    prompt = chat(type(episode)(**{**vars(episode), "support": tuple(shown)}))
    (answer,) = model.answer([prompt], WORLD.image)
    assert answer.text == episode.true_name
