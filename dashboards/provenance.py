"""Provenance: what made each number, and the command that makes it again."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboards import choose, show
from dashboards.results import lab, options_of
from dashboards.text import plain
from lcl_lab.store import Provenance, read_events
from lcl_lab.studies import Findings, Section, Table

__all__ = ["page"]


def page() -> None:
    """One run: command, commit, versions, configuration, seeds, what it went through; and the runs that are broken."""
    here = lab()
    for broken in here.broken:
        st.warning(plain(f"{broken.path}: {broken.reason}"))
    if not here.runs:
        st.info("There are no runs yet.")
        return
    run = here.run(choose.run([run.run for run in here.runs]))
    assert run is not None
    command, made = "", pd.DataFrame()
    if run.provenance is None:
        st.warning("This run is not finished: the same command goes on with it.")
    else:
        command, made = run.provenance.command, _made(run.provenance)
        st.subheader("Repeat it")
        st.code(command, language="sh")
        st.dataframe(made, hide_index=True)
    st.subheader("What its records depend on")
    st.json(run.config)
    options = options_of(run)
    if options:
        st.subheader("Its options")
        st.json(options, expanded=False)
    st.subheader("Its log")
    events = [{key: str(value) for key, value in event.items()} for event in read_events(run.path)]
    st.dataframe(events, hide_index=True)
    st.caption(plain(str(run.path)))
    section = Section("Repeat it", [command] if command else [], tables=[Table("What made it", made)])
    config = ["## What its records depend on", "", "```json", json.dumps(run.config, indent=1), "```", ""]
    show.export(Findings(run.run, [section]), "provenance", notes=config)


def _made(made: Provenance) -> pd.DataFrame:
    """Everything but the command and the configuration, as rows of what and value."""
    rows = {
        "commit": f"{made.commit or 'unknown'}{' with uncommitted changes' if made.dirty else ''}",
        "begun": f"{made.started:%Y-%m-%d %H:%M:%S} UTC",
        "seconds": f"{made.seconds:.1f}",
        "device": made.device,
        "machine": f"{made.platform}, {made.cpu_count} cores",
        "seeds": ", ".join(map(str, made.seeds)),
        **{name: str(version) for name, version in made.versions.items()},
    }
    return pd.DataFrame(list(rows.items()), columns=["what", "value"])
