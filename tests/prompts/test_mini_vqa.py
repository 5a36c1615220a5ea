from __future__ import annotations

from collections import Counter

import pytest

from lcl_lab.concepts import FACTORS, ImageRef, load_dataset
from lcl_lab.concepts.world import World
from lcl_lab.prompts import ASK, WHERE, MiniQuestion, draw_question, single_question, write_box
from lcl_lab.prompts.mini_vqa import read_box

WORLD = load_dataset("world-100")
assert isinstance(WORLD, World)
IMAGE = ImageRef("world-100", "000", 0)


def drawn(seed: int, count: int) -> list[MiniQuestion]:
    return [draw_question(WORLD, list(WORLD.concepts), 40, seed, number) for number in range(count)]


def test_a_box_is_written_in_tenths_and_read_back() -> None:
    assert write_box((0.18, 0.0, 0.62, 1.0)) == "[1,0,6,9]"
    assert read_box("[ 1, 0, 6, 9 ]") == pytest.approx((0.1, 0.0, 0.7, 1.0))
    assert read_box("a red disc") is None
    assert read_box("[1,2,3]") is None


@pytest.mark.parametrize(
    ("answer", "correct"),
    [("[2,2,7,7]", True), ("[3,2,7,7]", True), ("[0,0,3,3]", False), ("[8,8,1,1]", False), ("red", False), ("", False)],
)
def test_a_box_is_correct_from_an_overlap_of_one_half(answer: str, correct: bool) -> None:
    box = (0.2, 0.2, 0.8, 0.8)
    assert MiniQuestion("box", single_question(WHERE, IMAGE, write_box(box)), box).is_correct(answer) is correct


def test_words_must_be_the_same() -> None:
    question = MiniQuestion("placement", single_question(ASK["placement"], IMAGE, "on top"))
    assert question.is_correct("on  Top")
    assert not question.is_correct("top")


def test_questions_are_of_every_kind_and_true() -> None:
    questions = drawn(0, 160)
    assert Counter(q.kind for q in questions) == dict.fromkeys([*FACTORS, "box"], 20)
    for question in questions:
        (ref,) = question.prompt.images
        assert ref.number < 40
        truth = question.prompt.candidates[0]
        assert question.is_correct(truth)
        if question.kind != "box":
            assert truth == getattr(WORLD.appearance(ref.concept), question.kind)


def test_a_question_depends_on_seed_and_number_alone() -> None:
    few = drawn(3, 5)
    many = drawn(3, 50)
    assert many[:5] == few
    assert drawn(4, 5) != few
