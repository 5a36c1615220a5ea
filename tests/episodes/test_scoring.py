from __future__ import annotations

import pytest

from lcl_lab.episodes import is_correct_candidate, is_correct_open


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        ("cactihog", True),
        ('There is "Cactihog" in the image.', True),
        ("cactus", False),
        ("a cactihog or a cactus", False),
        ("a dog", False),
        ("", False),
    ],
)
def test_the_true_name_alone_is_correct(answer: str, correct: bool) -> None:
    assert is_correct_open(answer, "cactihog", "cactus") is correct


def test_a_name_inside_the_true_name_does_not_count_as_the_other() -> None:
    assert is_correct_open("a seahorse", "seahorse", "horse")
    assert not is_correct_open("a seahorse and a horse", "seahorse", "horse")


def test_the_more_likely_candidate_is_the_answer_and_a_tie_is_none() -> None:
    assert is_correct_candidate(-1.0, -2.0)
    assert not is_correct_candidate(-2.0, -1.0)
    assert not is_correct_candidate(-1.0, -1.0)
