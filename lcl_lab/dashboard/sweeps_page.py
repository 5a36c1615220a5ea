"""Sweeps: what a sweep has found, its trials while they run, their learning curves and cost, and why any failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from lcl_lab import dashboard, figures
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard import controls, episodes_page, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex
from lcl_lab.dashboard.sweep_results import cost_section, sweep_findings, trial_table
from lcl_lab.dashboard.sweep_trials import SweepTrial, split_name, sweep_folders
from lcl_lab.errors import UserError
from lcl_lab.reporting import Findings, Section

__all__ = ["pages"]

_REFRESH = timedelta(seconds=2)
_QUESTIONS = {
    "Results": "Which strategy or option is better, over training seeds and concept pairs?",
    "Trials": "What does each trial do, what did it cost, and where are its records?",
    "Learning curves": "How did loss and held-out accuracy change during training?",
}
"""The views, with the question that each answers."""


def pages() -> list[Page]:
    """The page of sweeps."""
    return [Page("Sweeps", "sweeps", _show, section="Runs")]


def _show(index: RunIndex) -> None:
    """One view of one sweep, drawn again every two seconds while trials run."""
    folders = {escape_controls(folder.name): folder for folder in sweep_folders(index.folder)}
    if not folders:
        st.info("No sweep has run yet. This command runs a small one:")
        st.code(index.command(["lcl", "sweep", "studies/tiny_grid.yaml"]), language="sh")
        return
    view = controls.select_view(list(_QUESTIONS))
    st.caption(_QUESTIONS[view])
    folder = folders[controls.select("Sweep", list(folders), "sweep")]
    is_running = _is_running(_read_states(folder)[1])
    st.fragment(_show_live, run_every=_REFRESH if is_running else None)(index, folder, view, is_running)


def _read_states(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events of a sweep, and the states of its trials."""
    events = dashboard.read_trial_events(folder / "events.jsonl")
    return events, dashboard.trial_states(events)


def _is_running(states: pd.DataFrame) -> bool:
    return bool(states["status"].isin(["running", "tried again"]).any())


def _show_live(index: RunIndex, folder: Path, view: str, was_running: bool) -> None:
    events, states = _read_states(folder)
    if was_running and not _is_running(states):
        st.rerun()  # nothing changes any more
    counts = states["status"].value_counts()
    for place, (status, count) in zip(st.columns(max(len(counts), 4)), counts.items(), strict=False):
        place.metric(escape_markdown(str(status)), int(count))
    for trial in states[states["reason"] != ""].to_dict(orient="records"):
        st.error(escape_markdown(f"{trial['trial']}: {trial['reason']}"))
    trials = dashboard.read_sweep_trials(folder)
    name = escape_controls(folder.name)
    if view == "Results":
        _show_results(index, folder, trials, name)
    elif view == "Trials":
        _show_trials(index, states, trials, name)
    else:
        _show_curves(events, name)


def _show_results(index: RunIndex, folder: Path, trials: Sequence[SweepTrial], name: str) -> None:
    """The findings of the sweep's report, for one metric at a time where there are several."""
    runs = {run.run: run for run in index.runs}
    needed = {run for trial in trials for run in trial.runs}
    missing = escape_controls(", ".join(sorted(needed - set(runs))))
    if missing:
        st.warning(escape_markdown(f"Trials whose runs are not in this folder are left out: {missing}."))
    sources = [s for group in index.groups for s in group.all_sources if s.run.run in needed]
    if not controls.confirm_reading(sources):
        return
    try:
        findings = _cached_findings(_state(folder, trials), folder, trials, runs)
    except UserError as error:
        st.info(escape_markdown(str(error)))
        return
    if not findings.sections:
        st.info("No trial has finished with records yet; the view Trials shows what they do.")
        return
    if len(findings.metrics) > 1:
        findings = findings.for_metric(controls.select_metric(findings.metrics))
    render.show_findings(findings, "results")
    render.show_export(findings, name)


def _state(folder: Path, trials: Sequence[SweepTrial]) -> tuple[str, ...]:
    """Changes whenever another trial has finished."""
    return repr(folder), *(repr(trial) for trial in trials)


@st.cache_resource(max_entries=16, show_spinner="Reading the records …")
def _cached_findings(
    state: tuple[str, ...], _folder: Path, _trials: Sequence[SweepTrial], _runs: dict[str, Any]
) -> Findings:
    return sweep_findings(_folder, _trials, _runs)


def _show_trials(index: RunIndex, states: pd.DataFrame, trials: Sequence[SweepTrial], name: str) -> None:
    """The trials with their cost; a row that is selected shows where the records of the trial are."""
    table, cost = trial_table(states, trials), cost_section(trials)
    selected = st.query_params.get("trial", "")
    event: Any = st.dataframe(
        table.frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key=f"trials {selected}",  # another one per trial, so that Back leaves no row selected
    )
    for row in event.selection.rows:
        controls.go_to({**controls.current_address(), "trial": str(table.frame["trial"].iloc[row])})
        st.rerun()
    if selected:
        _show_trial(index, selected, trials)
    else:
        st.caption("Select a row to see the records of a trial.")
    render.show_findings(Findings(name, [cost]), "cost")
    render.show_export(Findings(name, [Section("Trials", tables=[table]), cost]), name)


def _show_trial(index: RunIndex, name: str, trials: Sequence[SweepTrial]) -> None:
    """Links from a trial to its answers and to the pages of its studies."""
    st.subheader(escape_markdown(escape_controls(name)))
    trial = next((one for one in trials if one.name == name), None)
    if trial is None:
        st.info("It has not finished, so that it has no records yet.")
        return
    for run in trial.runs:
        _link_run(index, trial, run)
    if not trial.runs:
        st.info("It was stopped before its studies, so that it has no records.")


def _link_run(index: RunIndex, trial: SweepTrial, run: str) -> None:
    for group in index.groups:
        of_run = [source for source in group.all_sources if source.run.run == run]
        source = next((one for one in of_run if one.model == trial.name), of_run[0] if of_run else None)
        if source is None:
            continue
        study = group.study
        answers = episodes_page.link(source, {})
        selection = controls.group_address(index.groups_of(study), group)
        page = st.Page(_nothing, title=study, url_path=study)
        with st.container(horizontal=True):
            label = escape_markdown(f"Answers in {study}")
            st.page_link(episodes_page.this_page(), label=label, query_params=answers)
            label = escape_markdown(f"{study} of {source.model}")
            models = {"models": source.model, "seeds": str(source.seed)}
            st.page_link(page, label=label, query_params={**selection, **models})
        return
    st.caption(escape_markdown(escape_controls(f"{run} is not in this folder.")))


def _nothing() -> None:
    """Stands for the function of a page that is linked to by its address."""


def _show_curves(events: pd.DataFrame, name: str) -> None:
    """Loss and held-out accuracy of all trials; trials of one strategy have one colour."""
    steps = events[events["step"].notna()] if "step" in events else events.head(0)
    if steps.empty:
        st.info("No training has reported a step.")
        return
    strategies = steps["trial"].map(lambda trial: split_name(trial)[0])
    if strategies.nunique() < steps["trial"].nunique():
        steps = steps.assign(strategy=strategies)
    figure = figures.trials_figure(steps)
    render.show_chart(figure, "trials", "trials")
    render.show_export(Findings(name, [Section("Learning curves", figure=figure, name="trials")]), name)
