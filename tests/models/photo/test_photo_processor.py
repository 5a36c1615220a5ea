from __future__ import annotations

import pytest

from lcl_lab.models.mini.architecture import IMAGE_TOKENS
from lcl_lab.models.photo.photo_processor import build_photo_processor
from lcl_lab.prompts import QUESTION

PROCESSOR = build_photo_processor(["glas fork", "blue fork", "a spork"], IMAGE_TOKENS)


@pytest.mark.parametrize(
    "name",
    ["fork", "Blue-Fork 7", "smörgåsbord", "x" * 40, "two  spaces", "ice cream", "猫", "🦆 duck", "naïve café no. 42"],
)
def test_any_name_can_be_written(name: str) -> None:
    ids = PROCESSOR.tokenizer(name).input_ids
    assert PROCESSOR.tokenizer.unk_token_id not in ids
    assert PROCESSOR.tokenizer.decode(ids) == name


def test_frequent_letters_become_one_token() -> None:
    assert len(PROCESSOR.tokenizer("fork").input_ids) < 4


def test_the_question_is_one_token() -> None:
    assert len(PROCESSOR.tokenizer(QUESTION).input_ids) == 1
