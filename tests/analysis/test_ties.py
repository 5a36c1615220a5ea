from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lcl_lab import run_study
from lcl_lab.analysis import is_tie, score_ties, tied_candidates
from lcl_lab.models import PROTOTYPE


def choices(true: list[float | None], other: list[float | None], tokens: tuple[int, int] = (1, 1)) -> pd.DataFrame:
    known = [
        None if a is None or b is None else a / tokens[0] > b / tokens[1] for a, b in zip(true, other, strict=True)
    ]
    raw = [None if a is None or b is None else a > b for a, b in zip(true, other, strict=True)]
    frame = pd.DataFrame({"loglik_true": true, "loglik_other": other, "correct_candidate": known})
    return frame.assign(correct_candidate_raw=raw, tokens_true=tokens[0], tokens_other=tokens[1])


def test_a_tie_counts_one_half() -> None:
    frame = choices([-1.0, -2.0, -3.0], [-2.0, -2.0, -1.0])
    assert is_tie(frame).tolist() == [False, True, False]
    assert score_ties(frame)["correct_candidate"].tolist() == [1.0, 0.5, 0.0]
    assert frame["correct_candidate"].tolist() == [True, False, False]  # stored outcomes stay


def test_ties_per_token_are_not_those_of_the_total() -> None:
    scored = score_ties(choices([-2.0, -3.0], [-4.0, -3.0], tokens=(1, 2)))
    assert scored["correct_candidate"].tolist() == [0.5, 0.0]
    assert scored["correct_candidate_raw"].tolist() == [1.0, 0.5]


def test_without_ties_or_log_likelihoods_nothing_changes() -> None:
    for frame in (choices([-1.0], [-2.0]), choices([None, None], [None, None])):
        assert score_ties(frame) is frame
    scored = score_ties(choices([-1.0, None], [-1.0, None]))
    assert scored["correct_candidate"].tolist()[0] == 0.5
    assert np.isnan(scored["correct_candidate"].astype(float).tolist()[1])


def test_a_classifier_without_a_support_is_at_chance(tmp_path: Path) -> None:
    """The nearest prototype has none at 0 shots and prefers neither name."""
    result = run_study("shots", preset="tiny", queries=8, model="mini/2-way", fixed=(), shots=(0, 4), results=tmp_path)
    rows = result.estimates[result.estimates["model"] == PROTOTYPE]
    accuracies = rows[rows["metric"] == "candidate"].set_index("shots")["estimate"]
    assert accuracies[0] == 0.5
    assert accuracies[4] > 0.5
    assert f"**{PROTOTYPE}**: 50.0% of its choices" in (result.path / "report.md").read_text(encoding="utf-8")


def several(true: float, others: list[float], tokens: tuple[int, list[int]] | None = None) -> pd.DataFrame:
    """A record with several wrong candidates, as the evaluator stores it."""
    tokens_true, tokens_others = tokens or (1, [1] * len(others))
    per_token = [value / count for value, count in zip(others, tokens_others, strict=True)]
    best = int(np.argmax(per_token))
    return pd.DataFrame(
        {
            "loglik_true": [true],
            "loglik_other": [others[best]],
            "tokens_true": [tokens_true],
            "tokens_other": [tokens_others[best]],
            "loglik_others": [others],
            "tokens_others": [tokens_others],
            "other_names": [list("abcdefg"[: len(others)])],
            "correct_candidate": [true / tokens_true > max(per_token)],
            "correct_candidate_raw": [true > max(others)],
        }
    )


def test_of_m_equally_likely_names_each_counts_one_in_m() -> None:
    cases = [
        (several(-1.0, [-1.0, -1.0, -2.0]), 3, 1 / 3),
        (several(-1.0, [-2.0, -1.0]), 2, 1 / 2),
        (several(-1.0, [-2.0, -3.0]), 1, 1.0),
        (several(-2.0, [-1.0, -2.0]), 0, 0.0),
        (several(-2.0, [-1.0, -1.0]), 0, 0.0),
    ]
    frame = pd.concat([case for case, _, _ in cases] + [choices([-1.0, -1.0], [-1.0, -2.0])], ignore_index=True)
    frame = frame.astype({"loglik_others": object})
    assert tied_candidates(frame).tolist() == [count for _, count, _ in cases] + [2, 1]
    assert is_tie(frame).tolist() == [count > 1 for _, count, _ in cases] + [True, False]
    assert score_ties(frame)["correct_candidate"].tolist() == [share for _, _, share in cases] + [0.5, 1.0]


def test_means_and_totals_of_several_names_tie_separately() -> None:
    frame = several(-4.0, [-2.0, -4.0, -4.0], (2, [1, 1, 4]))  # means −2, −2, −4, −1; totals −4, −2, −4, −4
    assert tied_candidates(frame).tolist() == [0]
    assert tied_candidates(frame, per_token=False).tolist() == [0]
    frame = several(-4.0, [-5.0, -4.0, -4.0], (2, [2, 1, 2]))
    assert tied_candidates(frame).tolist() == [2]
    assert tied_candidates(frame, per_token=False).tolist() == [3]


@pytest.mark.parametrize("per_token", [True, False])
def test_ties_of_several_names_are_counted_in_each_record(per_token: bool) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 5, size=300)
    records = pd.DataFrame(
        {
            "loglik_true": rng.integers(-4, 0, size=300),
            "loglik_other": -9.0,
            "tokens_true": rng.integers(1, 3, size=300),
            "tokens_other": 1,
            "loglik_others": [rng.integers(-4, 0, size=size) for size in sizes],
            "tokens_others": [rng.integers(1, 3, size=size) for size in sizes],
        }
    )
    expected = []
    for _, row in records.iterrows():
        scale, scales = (row["tokens_true"], row["tokens_others"]) if per_token else (1, np.ones(9))
        true = row["loglik_true"] / scale
        others = [loglik / tokens for loglik, tokens in zip(row["loglik_others"], scales, strict=False)]
        expected.append(0 if max(others) > true else 1 + others.count(true))
    assert tied_candidates(records, per_token=per_token).tolist() == expected
    assert len(set(expected)) > 3
