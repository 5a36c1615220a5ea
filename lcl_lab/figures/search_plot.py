"""A search over options: parallel coordinates of its trials, and the metric by each option."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from lcl_lab.analysis.searched_option import SearchedOption
from lcl_lab.errors import UserError
from lcl_lab.figures.panels import Figure, Panel, layered
from lcl_lab.figures.theme import GREY, INK, PALETTE

__all__ = ["parallel_figure", "slice_figure"]

_UNITS = {
    "learning_rate": "peak",
    "lora": "rank",
    "steps": "optimizer steps",
    "batch": "prompts per step",
    "accumulate": "steps",
    "tasks_share": "of prompts",
    "queries": "per condition",
}
_SLICES_SIDE_BY_SIDE = 3
_MOST_TICKS = 12
_AXIS = 210  # pixels between two parallel axes


def parallel_figure(trials: pd.DataFrame, options: Sequence[SearchedOption], metric: str, title: str = "") -> Figure:
    """One line per trial over one axis per option, and the metric as the last axis and as the colour.

    Args:
        trials: with the columns trial and value, and one per option.
        options: the options, from left to right.
        metric: name of the metric, as people read it.
        title: of the figure; empty for none.

    Raises:
        UserError: there is no trial.
    """
    _check_any(trials)
    names = [*(_title(option).replace(" (", "\n(") for option in options), metric]
    low, high = _domain(trials["value"])
    points, ticks = [], []
    for number, option in enumerate(options):
        values = trials[option.name].tolist()
        positions = [_position(option, value) for value in values]
        points += _points(trials, names[number], positions, values)
        ticks += [{"axis": names[number], "position": at, "label": label} for at, label in _ticks(option)]
    values = trials["value"].tolist()
    points += _points(trials, metric, [(value - low) / (high - low) for value in values], values)
    ticks += [{"axis": metric, "position": at, "label": f"{low + at * (high - low):.3g}"} for at in (0.0, 0.5, 1.0)]
    axis = alt.Axis(
        labelAngle=0,
        orient="top",
        domain=False,
        ticks=False,
        labelPadding=34,  # room for two lines
        labelLimit=_AXIS,
        labelExpr="split(datum.label, '\\n')",
    )
    x = alt.X("axis:N", sort=names, title=None, axis=axis)
    y = alt.Y("position:Q", title=None, axis=None, scale=alt.Scale(domain=[0, 1]))
    color = alt.Color(
        "value:Q",
        title=metric,
        scale=alt.Scale(scheme="viridis", domain=[low, high]),
        legend=alt.Legend(orient="bottom", format=".3~g"),
    )
    tooltip = [alt.Tooltip("trial:N"), alt.Tooltip("axis:N", title="option"), alt.Tooltip("shown:N", title="its value")]
    lines = alt.Chart(pd.DataFrame(points)).encode(
        x=x, y=y, color=color, detail=alt.Detail("trial:N"), order=alt.Order("order:Q"), tooltip=tooltip
    )
    marks = alt.Chart(pd.DataFrame(ticks)).encode(x=x, y=y)
    rule = alt.Chart(pd.DataFrame({"axis": names})).mark_rule(color=GREY).encode(x=x)
    layers = [
        rule,
        lines.mark_line(strokeWidth=2, opacity=0.8),
        lines.mark_point(size=30, filled=True),
        marks.mark_tick(color=GREY, orient="horizontal", size=8, thickness=1, bandSize=8),
        marks.mark_text(align="left", dx=8, fontSize=13, color=INK).encode(text=alt.Text("label:N")),
    ]
    return Figure((Panel(layered(layers, width=_AXIS * len(names), height=300)),), title)


def slice_figure(trials: pd.DataFrame, options: Sequence[SearchedOption], metric: str, title: str = "") -> Figure:
    """The metric of each trial by its value of each option, one panel per option.

    Args:
        trials: with the columns trial and value, and one per option.
        options: one panel each.
        metric: name of the metric, as people read it.
        title: of the figure; empty for none.

    Raises:
        UserError: there is no trial.
    """
    _check_any(trials)
    scale = alt.Scale(domain=list(_domain(trials["value"])), nice=False, padding=8)
    y = alt.Y("value:Q", title=metric, scale=scale, axis=alt.Axis(format=".3~g"))
    panels = []
    for option in options:
        values = trials[option.name].tolist()
        rows = trials[["trial", "value"]].assign(
            x=[_text(value) for value in values] if option.kind == "list" else values
        )
        tooltip = [alt.Tooltip("trial:N"), alt.Tooltip("x", title=option.name), alt.Tooltip("value:Q", format=".3f")]
        points = alt.Chart(rows).mark_point(size=80, filled=True, opacity=0.75, color=PALETTE[0])
        panels.append(Panel(layered([points.encode(x=_x(option), y=y, tooltip=tooltip)], width=260, height=240)))
    return Figure(tuple(panels), title, stacked=len(panels) > _SLICES_SIDE_BY_SIDE, resolve={"y": "shared"})


def _check_any(trials: pd.DataFrame) -> None:
    if trials.empty:
        raise UserError("there are no trials with a value to draw")


def _title(option: SearchedOption) -> str:
    """The name of an option, with its unit and the kind of scale."""
    notes = [_UNITS.get(option.name.rpartition(".")[2], ""), "log scale" if option.is_logarithmic else ""]
    text = ", ".join(note for note in notes if note)
    return f"{option.name} ({text})" if text else option.name


def _domain(values: pd.Series) -> tuple[float, float]:
    """The least and the greatest value; some room around a single one."""
    low, high = float(values.min()), float(values.max())
    return (low, high) if low < high else (low - 0.05, high + 0.05)


def _points(
    trials: pd.DataFrame, axis: str, positions: Sequence[float], values: Sequence[Any]
) -> list[dict[str, object]]:
    rows = zip(trials["trial"], trials["value"], positions, values, strict=True)
    return [
        {"trial": trial, "value": value, "axis": axis, "position": at, "shown": _text(shown)}
        for trial, value, at, shown in rows
    ]


def _position(option: SearchedOption, value: Any) -> float:
    """Where a value is on its axis, from 0 to 1."""
    if option.kind == "list":
        last = len(option.values) - 1
        return option.values.index(value) / last if last else 0.5
    low, high = option.values
    if option.is_logarithmic:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def _ticks(option: SearchedOption) -> list[tuple[float, str]]:
    """Positions and labels: all values of a short list; the ends of an interval, and powers of ten or the middle."""
    if option.kind == "list":
        values = list(option.values)
        shown = values if len(values) <= _MOST_TICKS else [values[0], values[-1]]
    elif option.is_logarithmic:
        low, high = option.values
        powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
        between = [10.0**power for power in powers if low * 1.2 < 10.0**power < high / 1.2]
        shown = [low, *between, high]
    else:
        low, high = option.values
        shown = [low, (low + high) / 2, high]
    return [(_position(option, value), _text(value)) for value in shown]


def _text(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.4g}" if is_number else str(value)


def _x(option: SearchedOption) -> alt.X:
    if option.kind == "list":
        order = [_text(value) for value in option.values]
        return alt.X(
            "x:N", title=_title(option), sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(labelAngle=0)
        )
    scale = alt.Scale(
        type="log" if option.is_logarithmic else "linear", domain=list(option.values), nice=False, padding=8
    )
    return alt.X("x:Q", title=_title(option), scale=scale, axis=alt.Axis(format="~g", tickCount=4, labelOverlap=True))
