"""The shipped photo models on concepts and styles that they were not trained on, and on real photos where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import ImageRef, load_dataset, rename_concepts
from lcl_lab.concepts.image_reader import read_image
from lcl_lab.episodes import Episode, draw_episode, falsify, is_correct_candidate
from lcl_lab.models import Model, load_model
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.models.photo.photo_vision_tower import TOWER_FILE
from lcl_lab.prompts import chat, chat_prompt

pytestmark = pytest.mark.slow
DEMO = Path(__file__).parents[3] / "shared" / "data" / "isekai_demo"
GROUPS = {"cactihog": "hedgehog", "icemic": "ice cream", "octovac": "octopus", "airstone": "stone"}
EMOJI = rename_concepts(load_dataset("emoji-100"), "invented")
QUERIES, SHOTS = 80, 8


@pytest.fixture(scope="module")
def two_way() -> Model:
    return load_model("photo/2-way")


def accuracy(model: Model, ratio: float) -> float:
    drawn: list[Episode] = [falsify(draw_episode(EMOJI, 3, query, SHOTS), ratio) for query in range(QUERIES)]
    answers = model.answer([chat(episode) for episode in drawn], EMOJI.image)
    right = [is_correct_candidate(*(loglik.per_token for loglik in answer.logliks)) for answer in answers]
    return float(np.mean(right))


def test_emoji_that_were_held_out(two_way: Model) -> None:
    assert accuracy(two_way, 0.0) > 0.75
    assert accuracy(two_way, 1.0) < 0.25


def test_real_photos(two_way: Model) -> None:
    """Two photos with names, in either order, and a third: of four groups, three at least are named as labelled."""
    if not DEMO.is_dir():
        pytest.skip("no photos of ISEKAI here")
    files = {f"{group}/{role}": DEMO / group / f"{role}.jpg" for group in GROUPS for role in ("pos1", "infer1")}
    files |= {f"{other}/neg1": DEMO / other / "neg1.jpg" for other in GROUPS.values()}
    right = []
    for true, other in GROUPS.items():
        positive, negative = (ImageRef("demo", f"{true}/pos1", 0), true), (ImageRef("demo", f"{other}/neg1", 0), other)
        query = ImageRef("demo", f"{true}/infer1", 0)
        prompts = [chat_prompt(order, query, (true, other)) for order in ([positive, negative], [negative, positive])]
        answers = two_way.answer(prompts, lambda ref: read_image(files[ref.concept]))
        margins = [answer.logliks[0].per_token - answer.logliks[1].per_token for answer in answers]
        right.append(sum(margins) > 0)
    assert sum(right) >= 3


def test_the_shipped_files_are_small_and_share_a_tower() -> None:
    folder = shipped_folder("photo")
    sizes = {file.relative_to(folder): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    assert sum(sizes.values()) < 25e6
    assert [path for path, size in sizes.items() if size > 5e6] == [Path("prototype") / TOWER_FILE]
