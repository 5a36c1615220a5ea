from __future__ import annotations

from collections import Counter

import numpy as np

from lcl_lab.concepts import FACTORS, random_appearance
from lcl_lab.prompts import ASK, CAPTION, QUESTION, WHERE
from lcl_lab.strategies import BaseTasks

RNG = np.random.default_rng(0)
APPEARANCES = [random_appearance(RNG) for _ in range(8)]
BOXES = [(0.1 * k, 0.0, 0.5, 0.95) for k in range(8)]
TASKS = BaseTasks(APPEARANCES, BOXES, [""] * 6 + ["walnut", "anchor"])


def test_every_task_is_asked_and_answered_from_the_renderers_truth() -> None:
    rng = np.random.default_rng(1)
    seen: Counter[str] = Counter()
    for _ in range(2000):
        prompt = TASKS.draw(rng)
        (turn,) = prompt.turns
        question, image = turn.parts
        row = image.number
        truth = {
            QUESTION: TASKS.names[row],
            CAPTION: APPEARANCES[row].describe(),
            WHERE: f"[{row},0,5,9]",
            **{ASK[factor]: getattr(APPEARANCES[row], factor) for factor in FACTORS},
        }
        assert prompt.candidates == (truth[question],)
        assert (row >= 6) == (question == QUESTION)
        seen[question] += 1
    assert set(seen) == {QUESTION, CAPTION, WHERE, *ASK.values()}
    assert 0.17 < seen[QUESTION] / 2000 < 0.23


def test_an_in_context_prompt_names_known_things_as_usual() -> None:
    rng = np.random.default_rng(2)
    alone = 0
    for _ in range(200):
        prompt = TASKS.name_many(rng, 4)
        labels = [str(turn.parts[0]) for turn in prompt.turns if turn.role == "assistant"]
        assert labels == [TASKS.names[ref.number] for ref in prompt.images[:-1]]
        assert prompt.candidates == (TASKS.names[prompt.images[-1].number],)
        alone += prompt.candidates[0] not in labels
    # The support is drawn apart from the query, so that some supports do not show the answer.
    assert alone
