from __future__ import annotations

import pytest

from lcl_lab.episodes import right_candidate, right_open


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("cactihog", True),
        ('There is "Cactihog" in the image.', True),
        ("cactus", False),
        ("a cactihog or a cactus", False),
        ("a dog", False),
        ("", False),
    ],
)
def test_the_true_name_alone_is_right(answer: str, right: bool) -> None:
    assert right_open(answer, "cactihog", "cactus") is right


def test_a_name_inside_the_true_name_does_not_count_as_the_other() -> None:
    assert right_open("a seahorse", "seahorse", "horse")
    assert not right_open("a seahorse and a horse", "seahorse", "horse")


def test_the_more_likely_candidate_is_the_answer_and_a_tie_is_none() -> None:
    assert right_candidate(-1.0, -2.0)
    assert not right_candidate(-2.0, -1.0)
    assert not right_candidate(-1.0, -1.0)
