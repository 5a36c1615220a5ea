from __future__ import annotations

import pytest

from lcl_lab.analysis.vqa_scoring import normalise, vqa_accuracy


@pytest.mark.parametrize(
    ("said", "agreeing", "expected"),
    [("red", 0, 0.0), ("red", 1, 0.3), ("red", 2, 0.6), ("red", 3, 0.9), ("red", 4, 1.0), ("red", 10, 1.0)],
)
def test_accuracy_is_the_mean_over_annotators_left_out(said: str, agreeing: int, expected: float) -> None:
    # One who agrees with n − 1 others: left out, n − 1 of 9 remain; another left out, n remain (the published table).
    given = ["red"] * agreeing + ["blue"] * (10 - agreeing)
    assert vqa_accuracy(said, given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Red Car.", "red car"),
        ("two dogs", "2 dogs"),
        ("dont know", "don't know"),
        ("1,000", "1000"),
        ("black/white", "black white"),
        ("3.5 feet", "3.5 feet"),
        ("yes!", "yes "),
        ("none", "0"),
    ],
)
def test_answers_are_normalised(text: str, expected: str) -> None:
    assert normalise(text) == expected.strip()


def test_texts_are_not_normalised_if_all_annotators_agree() -> None:
    assert vqa_accuracy("the cat", ["The cat"] * 10) == 0
    assert vqa_accuracy("the cat", ["The cat"] * 9 + ["dog"]) == 1
