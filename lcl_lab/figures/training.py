"""The course of a training: its loss, and the accuracy on held-out episodes."""

from __future__ import annotations

import altair as alt
import pandas as pd

from lcl_lab.figures.theme import GREY, PALETTE

__all__ = ["training_chart"]


def training_chart(metrics: pd.DataFrame, title: str) -> alt.VConcatChart:
    """`metrics` are the lines of `metrics.jsonl`: `step` with `loss` (nats a token), or with `accuracy`."""
    x = alt.X("step:Q").title("optimiser step").scale(domainMin=0)
    panels = []
    for column, label, colour, scale in (
        ("loss", "loss (nats a token)", PALETTE[0], alt.Scale(type="log")),
        ("accuracy", "held-out accuracy", PALETTE[1], alt.Scale(domain=[0, 1])),
    ):
        rows = metrics[["step", column]].dropna() if column in metrics else metrics.head(0)
        if rows.empty:
            continue
        line = alt.Chart(rows).mark_line(point={"color": colour}, color=colour)
        layers = [line.encode(x=x, y=alt.Y(f"{column}:Q").title(label).scale(scale))]
        if column == "accuracy":
            chance = alt.Chart(pd.DataFrame({"chance": [0.5]})).mark_rule(color=GREY, strokeDash=[4, 4])
            layers.append(chance.encode(y="chance:Q"))
        panels.append(alt.layer(*layers).properties(width=520, height=200))
    return alt.vconcat(*panels).properties(title=title)
