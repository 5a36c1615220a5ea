"""Sweeps: running and finished trials, live, with their learning curves, and why any of them failed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboards import choose, show
from dashboards.results import lab
from dashboards.text import plain
from lcl_lab.figures import trials_figure
from lcl_lab.studies import Findings, Section, Table

__all__ = ["page"]

_SILENT = 900  # seconds without a word after which a trial that runs is told as silent
_RESTING = ("waiting", "finished", "stopped early", "failed")


def page() -> None:
    """One sweep; it is read again every two seconds, since the same command may go on with it."""
    root = lab().folder / "sweeps"
    found = sorted(root.glob("*/events.jsonl"), key=lambda file: file.stat().st_mtime, reverse=True)
    inside = [file for file in found if file.resolve().is_relative_to(root.resolve())]
    if not inside:
        st.info("No sweep has run yet. This runs a small one:")
        st.code("python -m lcl_lab.sweep studies/tiny_grid.yaml", language="sh")
        return
    names = {file.parent.name: file for file in inside}
    _live(names[choose.bound("Sweep", list(names), "sweep")])


@st.fragment(run_every="2s")
def _live(file: Path) -> None:
    events = _events(file)
    trials = _trials(events)
    counts = trials["status"].value_counts()
    for place, (status, count) in zip(st.columns(max(len(counts), 4)), counts.items(), strict=False):
        place.metric(plain(str(status)), int(count))
    st.dataframe(trials.dropna(axis=1, how="all"), hide_index=True)
    for _, trial in trials[trials["reason"] != ""].iterrows():
        st.error(plain(f"{trial['trial']}: {trial['reason']}"))
    told = pd.DataFrame(events)
    figure = trials_figure(told[told["step"].notna()]) if "step" in told and told["step"].notna().any() else None
    if figure is not None:
        show.chart(figure, "trials", "trials")
    name = file.parent.name
    show.export(Findings(name, [Section("Trials", [], figure, "trials", [Table("Trials", trials)])]), name)


def _events(file: Path) -> list[dict[str, Any]]:
    """The events that are whole; the last line may still be being written."""
    events = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and {"time", "trial", "status"} <= event.keys():
            events.append(event)
    return events


def _trials(events: list[dict[str, Any]]) -> pd.DataFrame:
    """A row a trial: its state, what it does, its last step, loss and accuracy, and why it failed."""
    columns = ["trial", "status", "doing", "step", "steps", "loss", "accuracy", "minutes", "reason"]
    state: dict[str, dict[str, Any]] = {}
    for event in events:
        own = state.setdefault(str(event["trial"]), {"trial": str(event["trial"]), "first": event["time"]})
        if own.get("status") == "waiting":
            own["first"] = event["time"]
        own |= {**event, "last": event["time"], "reason": event.get("reason", "")}
    for own in state.values():
        first, last = (datetime.fromisoformat(own[key]) for key in ("first", "last"))
        own["minutes"] = round((last - first).total_seconds() / 60, 1)
        if own["status"] not in _RESTING and (datetime.now(UTC) - last).total_seconds() > _SILENT:
            own["status"] = "silent"
    return pd.DataFrame(list(state.values()), columns=columns).fillna({"reason": ""})
