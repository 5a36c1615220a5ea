from __future__ import annotations

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.models import PROTOTYPE, find_checkpoint, load_model
from lcl_lab.prompts import chat

WORLD = load_dataset("world-100")


def right(shots: int, ratio: float, data: str = "world-100", queries: int = 100) -> float:
    concepts = load_dataset(data)
    model = load_model(find_checkpoint(PROTOTYPE), 1)
    prompts = [chat(falsify(draw_episode(concepts, 0, query, shots), ratio)) for query in range(queries)]
    found = [answer.logliks[0].total > answer.logliks[1].total for answer in model.answer(prompts, concepts.image)]
    return sum(found) / len(found)


def test_the_embedded_things_are_neither_impossible_nor_trivial_to_tell_apart() -> None:
    assert 0.75 <= right(2, 0.0, "isekai-mini", 400) <= 0.97


def test_it_follows_every_label() -> None:
    assert right(16, 0.0) > 0.9
    assert right(16, 1.0) < 0.1


def test_a_name_that_was_not_shown_is_never_preferred() -> None:
    model = load_model(find_checkpoint(PROTOTYPE), 1)
    episode = draw_episode(WORLD, 0, 0, 4)
    only = [example for example in episode.support if example.label == episode.true_name]
    prompt = chat(type(episode)(**{**vars(episode), "support": tuple(only)}))
    (answer,) = model.answer([prompt], WORLD.image)
    assert answer.text == episode.true_name
