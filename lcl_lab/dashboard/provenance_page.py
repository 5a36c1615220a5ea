"""Provenance: what produced each number, and the command that produces it again."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from lcl_lab import reporting, studies
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard import controls, render
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.pages import Page
from lcl_lab.dashboard.run_index import RunIndex
from lcl_lab.reporting import Findings, Section, Statement, Table
from lcl_lab.store import Provenance, RunInfo, read_events

__all__ = ["pages"]


def pages() -> list[Page]:
    """The page of provenance."""
    return [Page("Provenance", "provenance", _show, section="Runs")]


def _show(index: RunIndex) -> None:
    """One run: command, commit, versions, configuration, seeds and log; and the runs that cannot be read."""
    for broken in index.broken:
        st.warning(escape_markdown(escape_controls(f"{broken.path}: {broken.reason}")))
    if not index.runs:
        st.info("There are no runs yet.")
        return
    runs = {run.run: run for run in index.runs}
    run = runs[controls.select_run(list(runs), index.labels)]
    sections = []
    if run.provenance is None:
        st.warning("This run is not finished: the same command resumes it.")
    else:
        sections = [_show_provenance(run.provenance)]
    _show_inputs(run)
    config = ["## What its records depend on", "", "```json", json.dumps(run.config, indent=1), "```", ""]
    render.show_export(Findings(run.run, sections), "provenance", notes=config)


def _show_provenance(provenance: Provenance) -> Section:
    section = Section(
        "Reproduce",
        [Statement("{command}", {"command": provenance.command})],
        tables=[Table.from_rows("Environment", _rows(provenance))],
    )
    st.subheader(section.heading)
    st.code(provenance.command, language="sh")
    render.show_rows(section.tables[0].frame)
    return section


def _show_inputs(run: RunInfo) -> None:
    st.subheader("What its records depend on")
    st.json(run.config, expanded=1)
    options = studies.stored_options(run)
    if options:
        st.subheader("Options")
        st.json(options, expanded=False)
    st.subheader("Log")
    events = [{key: str(value) for key, value in event.items()} for event in read_events(run.path)]
    render.show_rows(pd.DataFrame(events).fillna(""))
    st.caption(escape_markdown(str(run.path)))


def _rows(provenance: Provenance) -> list[dict[str, str]]:
    """Everything but the command and the configuration."""
    changes = " with uncommitted changes" if provenance.dirty else ""
    values = {
        "commit": f"{provenance.commit or 'unknown'}{changes}",
        "started": reporting.render("{time:%Y-%m-%d %H:%M:%S} UTC", {"time": provenance.started}),
        "seconds": reporting.render("{seconds:.1f}", {"seconds": provenance.seconds}),
        "device": provenance.device,
        "machine": f"{provenance.platform}, {provenance.cpu_count} cores",
        "seeds": ", ".join(map(str, provenance.seeds)),
        **{name: str(version) for name, version in provenance.versions.items()},
    }
    return [{"what": what, "value": value} for what, value in values.items()]
