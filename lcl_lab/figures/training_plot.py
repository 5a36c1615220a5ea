"""Training curves of one training or several: loss, and accuracy on held-out episodes."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.encodings import horizontal_rule
from lcl_lab.figures.panels import Figure, Panel, layered
from lcl_lab.figures.theme import PALETTE

__all__ = ["training_figure", "trials_figure"]

_MEASURES = (
    ("loss", "loss (nats per token)", PALETTE[0], alt.Scale(type="log")),
    ("accuracy", "held-out accuracy", PALETTE[1], alt.Scale(domain=[0, 1])),
    ("tasks_loss", "loss on held-out tasks (nats per token)", PALETTE[2], alt.Scale(type="log")),
)
_CHANCE = 0.5
_X = alt.X("step:Q").title("optimizer step").scale(domainMin=0).axis(tickMinStep=1)


def training_figure(metrics: pd.DataFrame, title: str) -> Figure:
    """Loss and held-out accuracy over optimizer steps.

    Args:
        metrics: the lines of ``metrics.jsonl``: step, and loss (nats per token) or accuracy.
        title: of the figure.
    """
    panels = []
    for column, label, color, scale in _MEASURES:
        rows = _reported(metrics, ["step", column])
        if rows.empty:
            continue
        y = alt.Y(f"{column}:Q").title(label).scale(scale)
        line = alt.Chart(rows).mark_line(point={"color": color}, color=color).encode(x=_X, y=y)
        panels.append(_panel(line, y, column, height=200))
    return Figure(tuple(panels), title, stacked=True)


def trials_figure(events: pd.DataFrame, title: str = "") -> Figure:
    """Loss and held-out accuracy over optimizer steps, one line per trial.

    Args:
        events: with the columns trial, step, and loss (nats per token) or accuracy; and optionally strategy, whose
            trials then share a colour.
        title: of the figure; empty for none.
    """
    panels = []
    by = "strategy" if "strategy" in events else "trial"
    color = alt.Color(f"{by}:N", title=by.capitalize(), legend=alt.Legend(orient="bottom", columns=2))
    for column, label, _, scale in _MEASURES:
        rows = _reported(events, list(dict.fromkeys([by, "trial", "step", column])))
        if rows.empty:
            continue
        y = alt.Y(f"{column}:Q").title(label).scale(scale)
        tooltip = [alt.Tooltip("trial:N"), alt.Tooltip("step:Q"), alt.Tooltip(f"{column}:Q", format=".3f")]
        line = alt.Chart(rows).mark_line(point=True, strokeWidth=2)
        line = line.encode(x=_X, y=y, color=color, detail=alt.Detail("trial:N"), tooltip=tooltip)
        panels.append(_panel(line, y, column, height=260))
    return Figure(tuple(panels), title, stacked=True)


def _reported(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The rows that have a value in each column; none where a column is missing."""
    return rows[columns].dropna() if set(columns) <= set(rows.columns) else rows.head(0)


def _panel(line: alt.Chart, y: alt.Y, column: str, height: int) -> Panel:
    layers = [line, horizontal_rule(_CHANCE, y, (4, 4))] if column == "accuracy" else [line]
    return Panel(layered(layers, width=520, height=height))
