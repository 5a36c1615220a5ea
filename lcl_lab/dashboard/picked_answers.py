"""The answers behind a point of a distribution as a list, a row of which opens its episode."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from lcl_lab import reporting
from lcl_lab.dashboard import episodes_page
from lcl_lab.dashboard.sides import CONDITION, LETTER, Side
from lcl_lab.store import FIXED

__all__ = ["show_picked_answers"]

_MOST_LISTED = 500
_COLUMNS = {
    "model": "model",
    "seed": "seed",
    "query_id": "query",
    CONDITION: "condition",
    "pair": "pair",
    "true_name": "true name",
    "other_name": "other name",
    "answer": "answer",
    "margin": "margin (nats per token)",
}
"""The columns of the list, with their headings."""


def show_picked_answers(records: pd.DataFrame, side: Side, metric: str, key: str) -> None:
    """Show answers of one side; a row that is selected opens its episode.

    Args:
        records: of `side_records`.
        side: the side that they are of.
        metric: decides which answers are right on the page that opens.
        key: of the element.
    """
    if records.empty:
        st.info("There is no such answer under this condition.")
        return
    listed = records.head(_MOST_LISTED)
    counts = {"n": len(records), "listed": len(listed)}
    template = "{n:,} answers; select a row to open its episode."
    if len(listed) < len(records):
        template = "The first {listed:,} of {n:,} answers; select a row to open its episode."
    st.caption(reporting.render(template, counts))
    event: Any = st.dataframe(
        _with_margin(listed)[list(_COLUMNS)].dropna(axis="columns", how="all").rename(columns=_COLUMNS),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=key,
    )
    for row in event.selection.rows:
        episodes_page.open_episodes(_address(listed.iloc[row], side, metric))


def _with_margin(records: pd.DataFrame) -> pd.DataFrame:
    true, other = (records[f"loglik_{name}"] / records[f"tokens_{name}"] for name in ("true", "other"))
    return records.assign(margin=(true.astype(float) - other.astype(float)).round(3))


def _address(record: pd.Series, side: Side, metric: str) -> dict[str, str]:
    """The address of the episode of a record."""
    columns = [name for name in record.index if name not in (*FIXED, LETTER, CONDITION)]
    condition = {str(name): record[name] for name in columns if pd.notna(record[name])}
    source = side.source(record["model"], int(record["seed"]))
    return episodes_page.link(source, condition, query=str(record["query_id"]), metric=metric)
