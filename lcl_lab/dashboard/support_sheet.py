"""The support of an episode as a contact sheet, and where a model's attention goes on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

__all__ = ["Nearest", "find_nearest", "show_attention", "show_support", "support_heading"]

_SIDE = 76  # pixels of an image
_OUTLINE = ".st-key-support > :nth-child({number}) img {{ outline: 3px solid #0072B2; outline-offset: 1px }}"
_ATTENTION_STUDY = "circuits"
_MEASURED = ("part", "head", "position")
"""The condition columns of records of attention."""


@dataclass(frozen=True)
class Nearest:
    """The support image that is most similar to the query image.

    Attributes:
        number: which one of the support, counted from 1.
        model: the model whose features say so.
    """

    number: int
    model: str


def find_nearest(run: RunInfo, record: Mapping[str, Any]) -> Nearest | None:
    """The support image of a record that is the nearest according to a model of its run that compares images."""
    with connect_runs([run]) as connection:
        found = connection.execute(
            "SELECT nearest, model FROM records WHERE query_id = ? AND episode_id = ? AND data = ? AND seed = ? "
            "AND nearest IS NOT NULL ORDER BY model LIMIT 1",
            [record[name] for name in ("query_id", "episode_id", "data", "seed")],
        ).fetchall()
    return Nearest(*found[0]) if found else None


def show_support(
    allowed: tuple[str, ...], support: Sequence[Mapping[str, Any]], nearest: Nearest | None = None
) -> None:
    """Show the examples in their order, each with its label; false ones are marked and have the true name.

    Args:
        allowed: datasets whose images may be shown in addition to the embedded ones.
        support: the examples of a record.
        nearest: the one that is outlined.
    """
    st.caption(escape_markdown(support_heading(support, nearest)))
    if nearest:
        st.html(f"<style>{_OUTLINE.format(number=nearest.number)}</style>")
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


def support_heading(support: Sequence[Mapping[str, Any]], nearest: Nearest | None) -> str:
    """What is shown of a support: its size, its false labels, and which image is outlined."""
    if not support:
        return "No support: the query is the whole prompt"
    counts = {"n": len(support), "false": sum(example["false"] for example in support)}
    parts = ["Support of {n}, in order"]
    if counts["false"]:
        parts.append("false labels: {false}, in orange with the true name")
    if nearest:
        parts.append("image {number}, outlined, is the most similar to the query by the features of {by}")
        counts |= {"number": nearest.number, "by": nearest.model}
    return reporting.render("; ".join(parts), counts)


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
