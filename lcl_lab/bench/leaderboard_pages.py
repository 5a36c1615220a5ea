"""A leaderboard of result cards: Markdown, or static pages that can be published as they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lcl_lab import reporting
from lcl_lab.atomic import write_text
from lcl_lab.bench.card import Card, card_markdown, headline_text
from lcl_lab.bench.suite import HEADLINES
from lcl_lab.errors import UserError

__all__ = ["leaderboard", "write_leaderboard"]

_ORDER = HEADLINES[0]
_ABOUT = (
    f"Ordered by the {_ORDER.title}. A rank is 1 plus the number of models whose whole interval lies above this one's, "
    "so models whose intervals overlap can share a rank. Values are estimates with 95 % intervals over concept pairs."
)


def leaderboard(cards: Sequence[Card], pages: Mapping[int, str] | None = None) -> list[str]:
    """A leaderboard as lines of Markdown, with one table per version, preset and data.

    Args:
        cards: the cards.
        pages: the address of the page of each card, by its number.

    Raises:
        UserError: two cards of one table are of the same model.
    """
    groups: dict[tuple[str, str, str, str], list[int]] = {}
    for number, card in enumerate(cards):
        groups.setdefault((card.version, card.preset, card.data, card.data_fingerprint), []).append(number)
    lines = ["# LCL-Bench", "", _ABOUT, ""]
    for (version, preset, data, fingerprint), numbers in groups.items():
        names = [cards[number].model for number in numbers]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise UserError(f"two cards are of {repeated}; rename one with NAME=MODEL", option="cards")
        lines += [
            f"## {_cell(data)}, preset {preset}",
            "",
            f"Version {version} of the suite; data {fingerprint}.",
            "",
            f"| rank | model | {' | '.join(headline.title for headline in HEADLINES)} | not known |",
            f"| --- | --- | {' | '.join('---' for _ in HEADLINES)} | --- |",
            *_rows(cards, numbers, pages or {}),
            "",
        ]
    return lines


def write_leaderboard(cards: Sequence[Card], out: Path) -> Path:
    """Write a leaderboard.

    Args:
        cards: the cards.
        out: a Markdown file (``.md``), or a folder for index.html and one page per card.

    Returns:
        The Markdown file, or index.html.

    Raises:
        UserError: a file cannot be written, `out` has the ending of another file, or two cards are of the same model.
    """
    if out.suffix.lower() in (".html", ".htm", ".json") and not out.is_dir():
        raise UserError("must be a folder, which index.html is in, or a Markdown file (.md)", option="out", value=out)
    if out.suffix != ".md" and out.is_file():
        raise UserError("is a file; give a folder or a Markdown file (.md)", option="out", value=out)
    if out.suffix == ".md":
        write_text(out, "\n".join(leaderboard(cards)))
        return out
    pages = {
        number: f"{number:03}-{re.sub(r'[^A-Za-z0-9._-]+', '_', card.model)}.html" for number, card in enumerate(cards)
    }
    for number, card in enumerate(cards):
        title = f"LCL-Bench {card.version}: {card.model}"
        write_text(out / pages[number], reporting.markdown_page(title, "\n".join(card_markdown(card))))
    content = "\n".join(leaderboard(cards, pages))
    write_text(out / "index.html", reporting.markdown_page("LCL-Bench", content, set(pages.values())))
    return out / "index.html"


def _rows(cards: Sequence[Card], numbers: Sequence[int], pages: Mapping[int, str]) -> list[str]:
    ordered = sorted(numbers, key=lambda number: -_value(cards[number], "estimate"))
    rows = []
    for number in ordered:
        card = cards[number]
        above = sum(_value(cards[other], "low") > _value(card, "high") for other in numbers)
        name = f"[{_cell(card.model)}]({pages[number]})" if number in pages else _cell(card.model)
        missing = reporting.format_number(max(card.missing.values(), default=0.0), ".1%")
        cells = [str(above + 1), name, *(headline_text(card, headline) for headline in HEADLINES), missing]
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _value(card: Card, number: str) -> float:
    """A number of the headline that orders; a card without it comes last."""
    return float(card.headlines.get(_ORDER.key, {}).get(number, float("-inf")))


def _cell(text: str) -> str:
    return " ".join(re.sub(r"([|\[\]])", r"\\\1", text).split())
