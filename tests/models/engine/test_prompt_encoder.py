from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.prompts import QUESTION, chat

WORLD = load_dataset("world-100")


@pytest.fixture(scope="module")
def encode(untrained: Path) -> PromptEncoder:
    return PromptEncoder(AutoProcessor.from_pretrained(untrained))


def test_one_token_lies_between_an_image_and_its_name(encode: PromptEncoder) -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    prefix = encode(chat(episode)).prefix
    first_image = prefix.index(encode.placeholder)
    name = encode(chat(episode)).candidates[0]
    starts = [k for k in range(len(prefix)) if prefix[k : k + len(name)] == name]
    assert any(
        start - image == 2
        for start in starts
        for image in [first_image, prefix.index(encode.placeholder, first_image + 1)]
    )


def test_candidates_are_spelled_and_end_their_turn(encode: PromptEncoder) -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    true, other = encode(chat(episode)).candidates
    assert encode.parse(true).text == episode.true_name
    assert encode.parse(other).text == episode.other_name
    assert len(true) == len(episode.true_name) + 1
    assert true[-1] == other[-1]


def test_the_tokens_of_a_candidate_are_readable(encode: PromptEncoder) -> None:
    episode = draw_episode(WORLD, 0, 0, 2)
    true, _ = encode(chat(episode)).candidates
    *letters, end = encode.token_texts(true)
    assert (letters, end) == (list(episode.true_name), "<|end|>")


def test_the_question_of_an_episode_is_one_token(encode: PromptEncoder) -> None:
    prefix = encode(chat(draw_episode(WORLD, 0, 0, 0))).prefix
    assert len(prefix) == 4
    assert encode.parse(prefix).text == QUESTION


def test_each_placeholder_expands_to_the_tokens_of_its_image(encode: PromptEncoder) -> None:
    encoded = encode(chat(draw_episode(WORLD, 0, 0, 2)))
    expanded = encoded.expanded([1, 2, 3])
    assert expanded.count(encode.placeholder) == 6
    assert len(expanded) == len(encoded.prefix) + 3
