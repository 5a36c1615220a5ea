from __future__ import annotations

import unicodedata

import pytest

from lcl_lab.control_characters import escape_controls, remove_controls

HOSTILE = "a\x1b[31m\x1b]0;title\x07\rb\b\u202ec\u2066\x9b2J\u2028\ud800"


def test_what_controls_a_terminal_is_removed_or_escaped() -> None:
    assert remove_controls(HOSTILE) == "a[31m]0;titlebc2J"
    assert escape_controls(HOSTILE) == (
        r"a\x1b[31m\x1b]0;title\x07\rb\x08\u202ec\u2066\x9b2J\u2028\ud800"
    )  # fmt: skip


def test_tabs_and_line_breaks_stay_in_text_and_are_escaped_in_a_line() -> None:
    assert remove_controls("a\tb\nc") == "a\tb\nc"
    assert escape_controls("a\tb\nc") == r"a\tb\nc"


@pytest.mark.parametrize("text", ["naïve – “dax”", "猫と犬", "می‌خواهم", "👩‍🔬", "a\\x1b"])
def test_text_of_people_is_unchanged(text: str) -> None:
    assert remove_controls(text) == escape_controls(text) == text


def test_every_character_of_the_categories_for_controls_is_covered() -> None:
    for code in range(0x110000):
        letter = chr(code)
        bidirectional = unicodedata.bidirectional(letter) in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }
        if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} or bidirectional:
            assert remove_controls(letter) == ("" if letter not in "\t\n" else letter)
            assert escape_controls(letter).isascii()
