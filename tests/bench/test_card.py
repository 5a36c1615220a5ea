from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lcl_lab.bench import Card, read_card, write_card
from lcl_lab.errors import UserError
from tests.bench.cards import card


def test_a_card_that_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    original = card("a|b <script>", 0.9)
    path = write_card(original, tmp_path / "cards" / "one.json")
    assert read_card(path) == original
    page = path.with_suffix(".html").read_text(encoding="utf-8")
    assert "link score" in page and "0.90 [0.80, 1.00]" in page
    assert "<script" not in page.split("</style>")[1]
    assert "arithmetic was skipped: it reads no text" in page
    assert "shots: 25.0% of the answers are not known" in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "cannot be read: it is not JSON"),
        ("[1]", "is no card"),
        ('{"format": "other"}', "is no card"),
        ('{"format": "lcl-bench card", "version": "1"}', "is damaged: .*missing"),
    ],
)
def test_what_is_no_card_is_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_card(tmp_path / "card.json")
    assert "\n" not in str(error.value)


def damaged(**changes: object) -> str:
    whole: Card = replace(card("a", 0.5), **changes)  # type: ignore[arg-type]
    return json.dumps({"format": "lcl-bench card", **vars(whole)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (damaged(version="0"), "is of version 0 of the suite, not 1"),
        (damaged(headlines={"link_score": {"estimate": "high"}}), "is damaged: could not convert"),
        (damaged(headlines={"link_score": {"estimate": 1, "low": 0}}), "is damaged: 'high'"),
    ],
)
def test_missing_numbers_or_another_version_are_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(content)
    with pytest.raises(UserError, match=message):
        read_card(tmp_path / "card.json")


def test_a_file_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_card(tmp_path / "none.json")
