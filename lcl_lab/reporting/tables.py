"""Typed tables as rows of text, for reports, the terminal and the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isnan
from typing import Any

import pandas as pd

from lcl_lab.reporting.findings import Claim, Table, Verdict, holm_levels, is_inconclusive, verdicts_after_holm
from lcl_lab.reporting.text import format_detectable, format_interval, format_number, format_p, format_value

__all__ = ["caption_text", "claims_table", "markdown_rows", "table_text"]

_LABELS = {
    "p_value": "p",
    "holm": "Holm",
    "bh": "Benjamini–Hochberg",
    "odds_ratio": "odds ratio",
    "brier": "Brier score",
    "share": "share of variance",
}
_P_VALUES = ("p_value", "holm", "bh")
_SPARSE = 0.5  # share of the cells of a row
_ACROSS = {
    "false_ratio": "ratio of false labels",
    "shots": "number of shots",
    "ways": "number of names",
    "k": "number of heads removed",
}


def caption_text(table: Table) -> str:
    """The caption; where columns are numbers, with what these are."""
    if table.across is None or not pd.api.types.is_numeric_dtype(table.frame[table.across]):
        return table.caption
    return f"{table.caption}; one column per {_ACROSS.get(table.across, table.across.replace('_', ' '))}"


def table_text(table: Table, interval: Callable[..., str] = format_interval) -> pd.DataFrame:
    """The table as people read it: one column per value of `across`, estimates with their intervals.

    Args:
        table: the typed table.
        interval: writes an estimate with its interval, with the signature of `format_interval`.
    """
    return _wide(table, interval) if table.across else _long(table, interval)


def claims_table(claims: Sequence[Claim], looks: int = 1) -> pd.DataFrame:
    """The paper's claims, what was measured here, and the verdicts: alone, and after Holm's correction for them all.

    Args:
        claims: the claims.
        looks: how often the same question was analysed; with several, a last column corrects for them too.
    """
    alone = [(claim.source, claim.claim, claim.measured, claim.verdict) for claim in claims]
    text = pd.DataFrame(alone, columns=["paper", "claim", "measured here", "verdict"])
    for times, label in ((1, "after Holm"), (looks, f"after Holm and {looks} looks"))[: 1 if looks == 1 else 2]:
        decided = zip(claims, verdicts_after_holm(claims, times), holm_levels(claims, times), strict=True)
        text[label] = [_together(*one) for one in decided]
    return text


def _together(claim: Claim, verdict: Verdict, level: float) -> str:
    """The verdict after Holm's correction; if only the correction leaves it open, with what would decide it."""
    undecided = claim.detectable(level) if is_inconclusive(verdict) and not is_inconclusive(claim.verdict) else None
    return f"{verdict}; {format_detectable(undecided)}" if undecided else verdict


def markdown_rows(rows: pd.DataFrame) -> list[str]:
    """The lines of a Markdown table."""
    lines = [list(map(str, rows.columns)), ["---"] * rows.shape[1], *rows.astype(str).to_numpy().tolist()]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _wide(table: Table, interval: Callable[..., str]) -> pd.DataFrame:
    frame, across = table.frame, str(table.across)
    order = list(dict.fromkeys(frame[across])) if table.in_order else sorted(frame[across].unique())
    rows = [column for column in table.rows if column in frame]
    wide = frame.assign(text=_intervals(table, interval)).pivot(index=rows, columns=across, values="text")
    if table.in_order:
        wide = wide.reindex(frame.set_index(rows).index.drop_duplicates())
    wide = _fullest_first(wide[order])
    wide.columns = pd.Index([format_value(value) for value in order])
    return wide.fillna("").reset_index()


def _fullest_first(wide: pd.DataFrame) -> pd.DataFrame:
    """Rows as they are, but those whose first name has few cells, such as a model of one condition, last."""
    first = wide.index.get_level_values(0)
    is_sparse = wide.notna().mean(axis=1).groupby(first).max() < _SPARSE
    return wide.iloc[is_sparse.loc[first].to_numpy().argsort(kind="stable")]


def _long(table: Table, interval: Callable[..., str]) -> pd.DataFrame:
    low, high = table.interval
    text = table.frame.copy()
    if {"estimate", low, high} <= set(text.columns):
        text.insert(list(text.columns).index("estimate"), table.estimand or "value", _intervals(table, interval))
        text = text.drop(columns=["estimate", low, high])
    for column in [name for name in text.columns if {f"{name}_low", f"{name}_high"} <= set(text.columns)]:
        numbers = text[[column, f"{column}_low", f"{column}_high"]].to_numpy(dtype=float).tolist()
        text[column] = [interval(*cell, decimals=table.decimals) for cell in numbers]
        text = text.drop(columns=[f"{column}_low", f"{column}_high"])
    for column in text.columns:
        formatter = _formatter(str(column), text[column])
        if formatter:
            text[column] = [formatter(value) for value in text[column]]
    return text.rename(columns=_LABELS)


def _intervals(table: Table, interval: Callable[..., str]) -> list[str]:
    low, high = table.interval
    numbers = table.frame[["estimate", low, high]].to_numpy(dtype=float).tolist()
    return [interval(*cell, decimals=table.decimals, signed=table.signed) for cell in numbers]


def _formatter(column: str, values: pd.Series) -> Callable[[Any], str] | None:
    if column in _P_VALUES:
        return format_p
    if pd.api.types.is_float_dtype(values):
        return lambda value: "–" if isnan(value) else format_number(value, ".3f")
    return None
