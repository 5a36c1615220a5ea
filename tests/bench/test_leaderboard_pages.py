from __future__ import annotations

import re
from pathlib import Path

import pytest

from lcl_lab.bench import leaderboard, write_leaderboard
from lcl_lab.errors import UserError
from tests.bench.cards import card


def ranks(lines: list[str]) -> dict[str, int]:
    """The rank by the first cell of every row with numbers."""
    cells = [line.split(" | ") for line in lines if re.match(r"\| \d", line)]
    return {row[1]: int(row[0].removeprefix("| ")) for row in cells}


def test_models_that_cannot_be_told_apart_share_a_rank() -> None:
    lines = leaderboard([card("low", 0.1), card("high", 0.9), card("as high", 0.8), card("middle", 0.5)])
    assert ranks(lines) == {"high": 1, "as high": 1, "middle": 3, "low": 4}
    assert list(ranks(lines)) == ["high", "as high", "middle", "low"]


def test_cards_of_other_data_or_presets_are_in_tables_of_their_own() -> None:
    lines = leaderboard(
        [card("a", 0.5), card("a", 0.9, data="isekai-mini"), card("b", 0.1), card("b", 0.2, preset="full")]
    )
    assert [line for line in lines if line.startswith("## ")] == [
        "## world-100, preset default",
        "## isekai-mini, preset default",
        "## world-100, preset full",
    ]


def test_two_cards_of_one_model_are_one_line() -> None:
    with pytest.raises(UserError, match="two cards are of a; rename one with NAME=MODEL"):
        leaderboard([card("a", 0.5), card("a", 0.6)])


def test_the_pages_link_to_the_cards_and_to_nothing_else(tmp_path: Path) -> None:
    names = ("mini/2-way", "[x](https://example.org)", "a|b")
    index = write_leaderboard([card(name, 0.5) for name in names], tmp_path / "site")
    page = index.read_text(encoding="utf-8")
    links = re.findall(r'href="([^"]+)"', page)
    assert len(links) == 3
    assert all((index.parent / link).is_file() for link in links)
    assert not re.search(r'(?:src|href)="(?:http|//|data)', page)


def test_a_page_is_not_a_folder_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^out .*board.html: must be a folder"):
        write_leaderboard([card("a", 0.5)], tmp_path / "board.html")
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "board").write_text("mine")
    with pytest.raises(UserError, match=r"^out .*board: is a file; give a folder or a Markdown file"):
        write_leaderboard([card("a", 0.5)], tmp_path / "board")
    assert (tmp_path / "board").read_text() == "mine"


def test_a_markdown_file_has_the_tables_alone(tmp_path: Path) -> None:
    out = write_leaderboard([card("a", 0.5)], tmp_path / "docs" / "leaderboard.md")
    assert out.read_text(encoding="utf-8").startswith("# LCL-Bench")
    assert [path.name for path in out.parent.iterdir()] == ["leaderboard.md"]
