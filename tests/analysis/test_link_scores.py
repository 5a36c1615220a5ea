from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import flip_rate, link_score, link_verdict
from lcl_lab.errors import UserError


def answers(follows: np.ndarray, knows: np.ndarray) -> pd.DataFrame:
    """400 queries of 50 pairs: some follow the labels, the others are answered from prior knowledge."""
    queries = np.arange(len(follows))
    sides = [
        pd.DataFrame(
            {
                "query_id": queries,
                "pair": queries % 50,
                "false_ratio": ratio,
                "correct_candidate": np.where(follows, ratio == 0.0, knows),
            }
        )
        for ratio in (0.0, 1.0)
    ]
    return pd.concat(sides)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_score_is_the_share_of_queries_that_follow_the_link(share: float) -> None:
    rng = np.random.default_rng(0)
    follows, knows = rng.random(400) < share, rng.random(400) < 0.7
    result = link_score(answers(follows, knows))
    assert result.estimate == pytest.approx(follows.mean())
    assert 0 <= result.low <= result.estimate <= result.high <= 1
    assert (result.n, result.clusters) == (400, 50)


@pytest.mark.slow
def test_the_interval_has_nominal_coverage() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(400):
        tilt = rng.normal(0, 0.15, 50)[np.arange(400) % 50]
        result = link_score(answers(rng.random(400) < 0.6 + tilt, rng.random(400) < 0.7))
        inside.append(result.low <= 0.6 <= result.high)
    assert 0.93 <= np.mean(inside) <= 0.97


def test_a_model_that_contradicts_the_labels_scores_0() -> None:
    frame = answers(np.ones(400, bool), np.ones(400, bool))
    frame["correct_candidate"] = ~frame["correct_candidate"]
    assert link_score(frame).estimate == 0


def test_records_at_both_ratios_are_required() -> None:
    frame = answers(np.ones(400, bool), np.ones(400, bool))
    with pytest.raises(UserError):
        link_score(frame[frame["false_ratio"] == 0])


def parrot(rng: np.random.Generator) -> pd.DataFrame:
    """A model that repeats the last label, which is that of the query's concept in half of the supports."""
    frame = answers(np.ones(400, bool), np.ones(400, bool))
    last_is_true = np.tile(rng.random(400) < 0.5, 2)
    right = last_is_true == (frame["false_ratio"] == 0).to_numpy()
    return frame.assign(correct_candidate=right, answer=np.where(right, "wug", "dax"))


@pytest.mark.parametrize("column", ["correct_candidate", "answer"])
def test_all_answers_of_a_parrot_flip_although_its_link_score_is_0(column: str) -> None:
    frame = parrot(np.random.default_rng(2))
    flips = flip_rate(frame, column, {"false_ratio": 0.0}, {"false_ratio": 1.0}, np.random.default_rng(0))
    assert flips.estimate == 1
    assert 0.9 < flips.low < 1
    assert link_score(frame).low == 0


FLIPPED, SAME = (0.9, 1.0), (0.0, 0.05)


@pytest.mark.parametrize(
    ("intact", "change", "flips", "verdict"),
    [
        ((0.9, 1.0), (-1.0, -0.8), FLIPPED, "follows"),
        ((0.45, 0.55), (-0.05, 0.05), FLIPPED, "reads labels only"),
        ((0.0, 0.02), (-0.02, 0.01), SAME, "at floor"),
        ((0.0, 0.02), (-0.02, 0.01), (0.4, 0.6), "at floor"),
        ((0.0, 0.02), (0.8, 1.0), FLIPPED, "reverses"),
        ((0.45, 0.55), (-0.05, 0.05), SAME, "ignores"),
        ((0.45, 0.55), (-0.2, 0.05), (0.0, 0.3), "at chance"),
        ((0.8, 0.9), (-0.05, 0.05), SAME, "ignores"),
        ((0.8, 0.9), (-0.15, 0.05), SAME, "inconclusive"),
    ],
)
def test_the_verdict_needs_an_accuracy_that_can_fall(
    intact: tuple[float, float], change: tuple[float, float], flips: tuple[float, float], verdict: str
) -> None:
    assert link_verdict(intact, change, flips, 0.10, chance=0.5) == verdict
