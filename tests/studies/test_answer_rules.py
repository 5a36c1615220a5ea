from __future__ import annotations

import pytest

from lcl_lab.studies.answer_rules import open_ended_rule


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"data": "VQAv2", "question": "What is it?", "correct_strict": None}, "VQA accuracy ≥ ½"),
        ({"data": "world-100", "question": "Where is it?", "correct_strict": None}, "box, IoU ≥ ½"),
        ({"data": "world-100", "question": "What colour is it?", "correct_strict": None}, "same words"),
        ({"data": "arithmetic", "question": "1 <op> 2 =", "correct_strict": None}, "first number"),
        ({"data": "birds", "question": "Where is it?", "correct_strict": True}, "open-ended, strict"),
    ],
)
def test_every_kind_of_answer_has_a_rule(record: dict[str, object], name: str) -> None:
    rule = open_ended_rule(record, "strict")
    assert rule.name == name
    assert rule.meaning
    assert open_ended_rule(record, None).name.partition(",")[0] == name.partition(",")[0]
