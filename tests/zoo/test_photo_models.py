"""The shipped classifier for photos, on emoji that its tower was not fitted to, and on real photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.concepts import ImageRef, load_dataset, rename_concepts
from lcl_lab.concepts.image_reader import read_image
from lcl_lab.episodes import Episode, draw_episode, falsify, is_correct_candidate
from lcl_lab.models import Model, load_model
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.prompts import chat, chat_prompt

pytestmark = pytest.mark.slow
DEMO = Path(__file__).parents[3] / "shared" / "data" / "isekai_demo"
GROUPS = {"cactihog": "hedgehog", "icemic": "ice cream", "octovac": "octopus", "airstone": "stone"}
EMOJI = rename_concepts(load_dataset("emoji-100"), "invented")
QUERIES, SHOTS = 80, 8


@pytest.fixture(scope="module")
def prototype() -> Model:
    return load_model("photo/prototype")


def accuracy(model: Model, ratio: float) -> float:
    drawn: list[Episode] = [falsify(draw_episode(EMOJI, 3, query, SHOTS), ratio) for query in range(QUERIES)]
    answers = model.answer([chat(episode) for episode in drawn], EMOJI.image)
    right = [is_correct_candidate(*(loglik.per_token for loglik in answer.logliks)) for answer in answers]
    return float(np.mean(right))


def test_emoji_that_were_held_out(prototype: Model) -> None:
    assert accuracy(prototype, 0.0) > 0.8
    assert accuracy(prototype, 1.0) < 0.2


def test_real_photos(prototype: Model) -> None:
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
        answers = prototype.answer(prompts, lambda ref: read_image(files[ref.concept]))
        margins = [answer.logliks[0].per_token - answer.logliks[1].per_token for answer in answers]
        right.append(sum(margins) > 0)
    assert sum(right) >= 3


def test_the_shipped_files_are_small() -> None:
    folder = shipped_folder("photo")
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 25e6
