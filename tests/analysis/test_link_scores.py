from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import link_score
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
    result = link_score(answers(follows, knows), rng)
    assert result.estimate == pytest.approx(follows.mean())
    assert 0 <= result.low <= result.estimate <= result.high <= 1
    assert (result.n, result.clusters) == (400, 50)


def test_the_interval_has_nominal_coverage() -> None:
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(1000):
        tilt = rng.normal(0, 0.15, 50)[np.arange(400) % 50]
        result = link_score(answers(rng.random(400) < 0.6 + tilt, rng.random(400) < 0.7), rng)
        inside.append(result.low <= 0.6 <= result.high)
    assert 0.93 <= np.mean(inside) <= 0.97


def test_a_model_that_contradicts_the_labels_scores_0() -> None:
    frame = answers(np.ones(400, bool), np.ones(400, bool))
    frame["correct_candidate"] = ~frame["correct_candidate"]
    assert link_score(frame, np.random.default_rng(0)).estimate == 0


def test_records_at_both_ratios_are_required() -> None:
    frame = answers(np.ones(400, bool), np.ones(400, bool))
    with pytest.raises(UserError):
        link_score(frame[frame["false_ratio"] == 0], np.random.default_rng(0))
