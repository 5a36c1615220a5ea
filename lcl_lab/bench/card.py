"""A result card: every number of one model in one version of the suite, as JSON and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lcl_lab import reporting
from lcl_lab.atomic import write_text
from lcl_lab.bench.suite import HEADLINES, VERSION, Headline
from lcl_lab.errors import UserError

__all__ = ["FORMAT", "Card", "card_markdown", "read_card", "write_card"]

FORMAT = "lcl-bench card"
_NUMBERS = ("estimate", "low", "high")


@dataclass(frozen=True)
class Card:
    """What the suite says of a model.

    Attributes:
        version: of the suite.
        preset: how much was evaluated.
        data: the dataset, as it was named.
        data_fingerprint: identifies its content.
        model: the model's name.
        fingerprint: identifies weights and processor.
        headlines: by the key of each headline that could be estimated: estimate, low, high, n, clusters.
        estimates: all estimates of all studies, as rows.
        skipped: the reason by study, for studies that the model cannot do.
        missing: the share of answers that are not known, by study.
        cost: prompts, seconds, and tokens of the prompts where they are known.
        origin: command, version of LCL Lab, commit, device and time.
    """

    version: str
    preset: str
    data: str
    data_fingerprint: str
    model: str
    fingerprint: str
    headlines: Mapping[str, Mapping[str, Any]]
    estimates: Sequence[Mapping[str, Any]]
    skipped: Mapping[str, str]
    missing: Mapping[str, float]
    cost: Mapping[str, float | int | None]
    origin: Mapping[str, Any]


def write_card(card: Card, path: Path) -> Path:
    """Write a card as JSON, and next to it as an HTML page of the same name.

    Returns:
        The path of the JSON file.

    Raises:
        UserError: a file cannot be written.
    """
    write_text(path, json.dumps({"format": FORMAT, **asdict(card)}, indent=1, ensure_ascii=False) + "\n")
    title = f"LCL-Bench {card.version}: {card.model}"
    write_text(path.with_suffix(".html"), reporting.markdown_page(title, "\n".join(card_markdown(card))))
    return path


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        UserError: the file is no card, or one of a version of the suite that this one cannot compare.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise UserError(f"cannot be read: {reason}", option="cards", value=path) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise UserError("is no card of `lcl bench run`", option="cards", value=path)
    try:
        card = Card(**content)
        for of_headline in card.headlines.values():
            for name in _NUMBERS:
                float(of_headline[name])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise UserError(f"is damaged: {' '.join(str(error).split())[:200]}", option="cards", value=path) from error
    if card.version != VERSION:
        raise UserError(f"is of version {card.version} of the suite, not {VERSION}", option="cards", value=path)
    return card


def card_markdown(card: Card) -> list[str]:
    """The card as Markdown: headlines, cost, missing answers, what was skipped, and all estimates by study."""
    rows = [
        f"| {headline.title} | {headline_text(card, headline)} | {card.headlines.get(headline.key, {}).get('n', '')} |"
        for headline in HEADLINES
    ]
    return [
        f"# {_cell(card.model)}",
        "",
        f"LCL-Bench version {card.version}, preset {card.preset}, data {_cell(card.data)}; model {card.fingerprint}, "
        f"data {card.data_fingerprint}.",
        "",
        "| quantity | estimate with 95 % interval | n |",
        "| --- | --- | --- |",
        *rows,
        "",
        "## Cost and missing answers",
        "",
        f"- {_cost(card)}",
        *(
            reporting.render("- {study}: {share:.1%} of the answers are not known.", {"study": study, "share": share})
            for study, share in card.missing.items()
            if share
        ),
        *(f"- {study} was skipped: {_cell(reason)}." for study, reason in card.skipped.items()),
        *(f"- {name}: {_cell(str(value))}" for name, value in card.origin.items()),
        "",
        "## All estimates",
        "",
        "| study | estimand | model | metric | condition | estimate | n |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *map(_estimate_row, card.estimates),
        "",
    ]


def headline_text(card: Card, headline: Headline, decimals: int = 2) -> str:
    """A headline with its interval; a dash where the model has none."""
    found = card.headlines.get(headline.key)
    if found is None:
        return "–"
    value, low, high = (float(found[name]) for name in _NUMBERS)
    return reporting.format_interval(value, low, high, decimals)


def _estimate_row(row: Mapping[str, Any]) -> str:
    value, low, high = (float("nan") if row[name] is None else float(row[name]) for name in _NUMBERS)
    numbers = reporting.format_interval(value, low, high)
    condition = ", ".join(f"{name} {value}" for name, value in row["condition"].items())
    cells = (row["study"], row["estimand"], row["model"] or "", row["metric"] or "", condition, numbers, row["n"])
    return f"| {' | '.join(_cell(str(cell)) for cell in cells)} |"


def _cost(card: Card) -> str:
    tokens = card.cost.get("prompt_tokens")
    read = f", {tokens:,} tokens of prompts" if tokens else ""
    return f"{card.cost['prompts']:,} prompts, {card.cost['seconds']:,.0f} s{read}"


def _cell(text: str) -> str:
    """Text in a cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
