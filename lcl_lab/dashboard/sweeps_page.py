"""Sweeps: running and finished trials, live, with their learning curves, and why any of them failed."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from lcl_lab import dashboard, figures, reporting, studies
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex

__all__ = ["pages"]


def pages() -> list[Page]:
    """The page of sweeps."""
    return [Page("Sweeps", "sweeps", _show, section="Runs")]


def _show(index: RunIndex) -> None:
    """One sweep, read again every two seconds while it may still run."""
    root = index.folder / "sweeps"
    files = [file for file in root.glob("*/events.jsonl") if file.is_file()]
    files.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    inside = [file for file in files if file.resolve().is_relative_to(root.resolve())]
    if not inside:
        st.info("No sweep has run yet. This command runs a small one:")
        st.code(index.command(["lcl", "sweep", "studies/tiny_grid.yaml"]), language="sh")
        return
    names = {escape_controls(file.parent.name): file for file in inside}
    _show_live(names[controls.select("Sweep", list(names), "sweep")])


@st.fragment(run_every="2s")
def _show_live(file: Path) -> None:
    events = dashboard.read_trial_events(file)
    trials = dashboard.trial_states(events)
    counts = trials["status"].value_counts()
    for place, (status, count) in zip(st.columns(max(len(counts), 4)), counts.items(), strict=False):
        place.metric(escape_markdown(str(status)), int(count))
    render.show_rows(trials.dropna(axis=1, how="all"))
    for trial in trials[trials["reason"] != ""].to_dict(orient="records"):
        st.error(escape_markdown(f"{trial['trial']}: {trial['reason']}"))
    steps = events[events["step"].notna()] if "step" in events else events.head(0)
    figure = figures.trials_figure(steps) if len(steps) else None
    if figure is not None:
        render.show_chart(figure, "trials", "trials")
    name = escape_controls(file.parent.name)
    search = studies.read_search(file.parent)
    of_search = list(studies.search_sections(search)) if search else []
    if of_search:
        render.show_findings(reporting.Findings(name, of_search), "search")
    section = reporting.Section("Trials", figure=figure, name="trials", tables=[reporting.Table("Trials", trials)])
    render.show_export(reporting.Findings(name, [*of_search, section]), name)
