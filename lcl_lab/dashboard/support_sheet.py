"""The support of an episode as a contact sheet, and where a model's attention goes on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from lcl_lab import figures, reporting
from lcl_lab.dashboard import render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.images import GREY, find_image, show_image
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import RunIndex
from lcl_lab.store import RunInfo
from lcl_lab.studies.circuit_columns import ATTENTION
from lcl_lab.studies.circuit_effects import METRIC

__all__ = ["show_attention", "show_support"]

_SIDE = 76  # pixels of an image
_ATTENTION_STUDY = "circuits"
_MEASURED = ("part", "head", "position")
"""The condition columns of records of attention."""


def show_support(allowed: tuple[str, ...], support: Sequence[Mapping[str, Any]]) -> None:
    """Show the examples in their order, each with its label; false ones are marked and have the true name.

    Args:
        allowed: datasets whose images may be shown in addition to the embedded ones.
        support: the examples of a record.
    """
    st.caption(reporting.render(_heading(support), {"n": len(support), "false": sum(e["false"] for e in support)}))
    with st.container(key="support", horizontal=True, gap="xxsmall"):
        for number, example in enumerate(support, start=1):
            show_image(allowed, example["image"], _SIDE, _caption(number, example))


def show_attention(index: RunIndex, record: Mapping[str, Any]) -> None:
    """Show the attention to each label of the support, if a study of attention heads has measured it."""
    measured = _attention([run for run in index.runs if run.study == _ATTENTION_STUDY], record)
    rows = [
        {
            "panel": f"{model}, head {head}",
            "position": position,
            "label": shown["label"],
            "own": "the query's concept" if shown["true_label"] == record["true_name"] else "another concept",
            "attention": attention,
            "image": find_image(index.data, shown["image"]) or GREY,
        }
        for model, head, position, attention in measured
        for shown in record["support"][position - 1 : position]
    ]
    if rows:
        title = "Attention from the end of the prompt to the labels"
        st.caption(f"{title}, of the head with the largest induction score")
        frame = reporting.Table.from_rows("", rows).frame
        render.show_chart(figures.attention_figure(frame, title, METRIC), "attention", "attention")


def _heading(support: Sequence[Mapping[str, Any]]) -> str:
    if not support:
        return "No support: the query is the whole prompt"
    false = "; false labels: {false}, in orange with the true name" if any(e["false"] for e in support) else ""
    return "Support of {n}, in order" + false


def _caption(number: int, example: Mapping[str, Any]) -> str:
    label = escape_markdown(f"{number} {example['label']}")
    return f":orange-background[**{label}**] is {escape_markdown(example['true_label'])}" if example["false"] else label


def _attention(runs: Sequence[RunInfo], record: Mapping[str, Any]) -> list[tuple[str, str, int, float]]:
    """Model, head, position and attention in the newest run of each model that has the episode of a record."""
    if not runs or not record["support"]:
        return []
    with connect_runs(runs) as connection:
        columns = {str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()}
        if not columns.issuperset(_MEASURED):
            return []
        return connection.execute(
            "SELECT model, head, CAST(position AS BIGINT) AS place, measurement FROM records "
            "WHERE part = ? AND episode_id = ? AND query_id = ? AND data = ? AND measurement IS NOT NULL "
            "QUALIFY dense_rank() OVER (PARTITION BY model ORDER BY run DESC) = 1 ORDER BY model, place",
            [ATTENTION, *(record[name] for name in ("episode_id", "query_id", "data"))],
        ).fetchall()
