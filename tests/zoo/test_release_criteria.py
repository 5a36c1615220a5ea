from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.zoo import LINK_MODELS, ZOO, check_criteria


def answers(accuracies: dict[tuple[str, str, int, float], float]) -> pd.DataFrame:
    """200 episodes under each condition with that accuracy, the same open-ended."""
    rows = []
    for (model, data, shots, ratio), value in accuracies.items():
        for query in range(200):
            right = query < round(value * 200)
            rows.append((model, data, shots, ratio, query, f"p{query % 50}", right, right))
    columns = ["model", "data", "shots", "false_ratio", "query_id", "pair", "correct_open", "correct_candidate"]
    return pd.DataFrame(rows, columns=columns)


def questions(base: float, mix: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    luck = rng.random(4000)
    rows = [
        (model, query, f"p{query % 50}", "colour", luck[query] < value)
        for model, value in (("base", base), ("mix", mix))
        for query in range(4000)
    ]
    return pd.DataFrame(rows, columns=["model", "query_id", "pair", "kind", "correct_open"])


GOOD = {
    ("2-way", "world-100", 16, 0.0): 0.96,
    ("2-way", "isekai-mini", 16, 0.0): 0.92,
    ("2-way", "world-100", 16, 1.0): 0.02,
    ("in-context", "world-100", 16, 1.0): 0.5,
    **{(model, "world-100", 8, 0.0): 0.93 for model in LINK_MODELS},
    **{(model, "world-100", 16, 1.0): 0.02 for model in LINK_MODELS},
}


def test_a_zoo_that_reaches_every_bar() -> None:
    results = check_criteria(answers(GOOD), questions(0.9, 0.905), ZOO)
    assert len(results) == 15
    assert sum(result.required for result in results) == 11
    assert all(result.met for result in results)


@pytest.mark.parametrize("condition", GOOD, ids=str)
def test_each_bar_can_be_missed(condition: tuple[str, str, int, float]) -> None:
    results = check_criteria(answers({**GOOD, condition: 0.11}), questions(0.9, 0.905), ZOO)
    missed = [result for result in results if not result.met]
    assert {result.model for result in missed} == {condition[0]}
    assert all(result.text == "0.110" for result in missed)


def test_a_missed_target_is_told_and_is_no_bar() -> None:
    almost = {**GOOD, ("2-way", "isekai-mini", 16, 0.0): 0.88, ("2-way", "world-100", 16, 1.0): 0.05}
    missed = [result for result in check_criteria(answers(almost), questions(0.9, 0.905), ZOO) if not result.met]
    assert len(missed) == 2
    assert not any(result.required for result in missed)


def test_mix_must_keep_what_base_knows() -> None:
    *_, result = check_criteria(answers(GOOD), questions(0.9, 0.86), ZOO)
    assert result.model == "mix"
    assert not result.met
    *_, result = check_criteria(answers(GOOD), questions(0.9, 0.905), ZOO)
    assert result.met


def test_a_loss_that_is_neither_shown_nor_excluded_says_what_would_decide() -> None:
    few = questions(0.9, 0.9).query("query_id < 400")
    *_, open_result = check_criteria(answers(GOOD), few, ZOO)
    assert not open_result.met
    assert "; detectable: 0." in open_result.text
    *_, lost = check_criteria(answers(GOOD), questions(0.9, 0.6), ZOO)
    assert "detectable" not in lost.text
    *_, wide = check_criteria(answers(GOOD), few, ZOO, margin=0.2)
    assert wide.met
    assert "±0.2" in wide.criterion
