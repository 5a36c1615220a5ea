"""The course of one training, or of many: loss, and accuracy on held-out episodes."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.theme import GREY, PALETTE

__all__ = ["training_chart", "trials_chart"]


_MEASURES = (
    ("loss", "loss (nats a token)", PALETTE[0], alt.Scale(type="log")),
    ("accuracy", "held-out accuracy", PALETTE[1], alt.Scale(domain=[0, 1])),
)


def training_chart(metrics: pd.DataFrame, title: str) -> alt.VConcatChart:
    """`metrics` are the lines of `metrics.jsonl`: `step` with `loss` (nats a token), or with `accuracy`."""
    panels = []
    for column, label, colour, scale in _MEASURES:
        rows = metrics[["step", column]].dropna() if column in metrics else metrics.head(0)
        if rows.empty:
            continue
        line = alt.Chart(rows).mark_line(point={"color": colour}, color=colour)
        layers = [line.encode(x=_x(), y=alt.Y(f"{column}:Q").title(label).scale(scale))]
        if column == "accuracy":
            layers.append(_chance())
        panels.append(alt.layer(*layers).properties(width=520, height=200))
    return alt.vconcat(*panels).properties(title=title)


def trials_chart(events: pd.DataFrame) -> alt.VConcatChart:
    """The same of many trials, a line each: the columns trial, `step`, and `loss` or `accuracy`."""
    panels = []
    for column, label, _, scale in _MEASURES:
        rows = events[["trial", "step", column]].dropna() if column in events else events.head(0)
        if rows.empty:
            continue
        line = alt.Chart(rows).mark_line(point=True, strokeWidth=2)
        trial = alt.Color("trial:N", title="Trial", legend=alt.Legend(orient="bottom", columns=2))
        tooltip = ["trial:N", "step:Q", alt.Tooltip(f"{column}:Q", format=".3f")]
        layers = [line.encode(x=_x(), y=alt.Y(f"{column}:Q").title(label).scale(scale), color=trial, tooltip=tooltip)]
        if column == "accuracy":
            layers.append(_chance())
        panels.append(alt.layer(*layers).properties(width=520, height=260))
    return alt.vconcat(*panels)


def _x() -> alt.X:
    return alt.X("step:Q").title("optimiser step").scale(domainMin=0).axis(tickMinStep=1)


def _chance() -> alt.Chart:
    chance = alt.Chart(pd.DataFrame({"chance": [0.5]})).mark_rule(color=GREY, strokeDash=[4, 4])
    return chance.encode(y="chance:Q")
