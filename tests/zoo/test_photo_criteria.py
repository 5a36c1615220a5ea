from __future__ import annotations

import pandas as pd

from lcl_lab.zoo.photo_training import check_photo_criteria


def estimates(true: float, false: float, opened: float) -> pd.DataFrame:
    rows = [
        ("2-way", "emoji-100", 2, 0.0, "candidate", 0.1),
        ("2-way", "emoji-100", 8, 0.0, "candidate", true),
        ("2-way", "emoji-100", 8, 1.0, "candidate", false),
        ("2-way", "emoji-100", 8, 0.0, "open-ended", opened),
        ("base", "emoji-100", 8, 0.0, "candidate", 0.5),
        ("2-way", "glyphs-100", 8, 0.0, "candidate", 0.2),
    ]
    return pd.DataFrame(rows, columns=["model", "data", "shots", "false_ratio", "metric", "estimate"])


def naming(base: int, mix: int) -> pd.DataFrame:
    """Of 100 questions each, the first ones are answered correctly."""
    rows = [
        {"query_id": query, "model": model, "correct_open": query < right}
        for model, right in (("base", base), ("mix", mix))
        for query in range(100)
    ]
    return pd.DataFrame(rows)


def met(estimated: pd.DataFrame, named: pd.DataFrame) -> list[bool]:
    return [criterion.met for criterion in check_photo_criteria(estimated, named)]


def test_all_criteria_are_met() -> None:
    assert met(estimates(0.85, 0.15, 0.81), naming(90, 91)) == [True] * 4


def test_each_criterion_can_be_missed_alone() -> None:
    assert met(estimates(0.84, 0.15, 0.81), naming(90, 91)) == [False, True, True, True]
    assert met(estimates(0.9, 0.16, 0.9), naming(90, 90)) == [True, False, True, True]
    assert met(estimates(0.9, 0.1, 0.8), naming(90, 90)) == [True, True, False, True]
    assert met(estimates(0.9, 0.1, 0.9), naming(90, 87)) == [True, True, True, False]


def test_what_was_measured_is_in_the_report() -> None:
    true, false, opened, change = check_photo_criteria(estimates(0.9, 0.1, 0.87), naming(90, 91))
    assert (true.measured, false.measured) == (0.9, 0.1)
    assert round(opened.measured, 6) == -0.03
    assert round(change.measured, 6) == 0.01
