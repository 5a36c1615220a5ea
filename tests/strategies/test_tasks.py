from __future__ import annotations

from collections import Counter

import numpy as np

from lcl_lab.concepts import FACTORS, ImageRef, random_look
from lcl_lab.prompts import QUESTION
from lcl_lab.strategies.tasks import ASK, CAPTION, draw_task

IMAGE = ImageRef("corpus", "", 0)


def test_a_known_thing_is_named() -> None:
    look = random_look(np.random.default_rng(0))
    prompt = draw_task(np.random.default_rng(0), IMAGE, look, "walnut")
    assert prompt.turns[0].parts == (QUESTION, IMAGE)
    assert prompt.candidates == ("walnut",)


def test_other_things_are_described_and_asked_about_in_every_factor() -> None:
    rng = np.random.default_rng(0)
    look = random_look(rng)
    seen: Counter[str] = Counter()
    for _ in range(500):
        prompt = draw_task(rng, IMAGE, look, "")
        question = str(prompt.turns[0].parts[0])
        factor = next((f for f, asked in ASK.items() if asked == question), None)
        assert prompt.candidates == ((getattr(look, factor),) if factor else (look.describe(),))
        seen[question] += 1
    assert set(seen) == {CAPTION, *ASK.values()}
    assert set(ASK) == set(FACTORS)
