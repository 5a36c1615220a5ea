"""Provenance: what made each number, and the command that makes it again."""

from __future__ import annotations

import streamlit as st

from dashboards import choose
from dashboards.results import lab, options_of
from dashboards.text import plain
from lcl_lab.store import read_events

__all__ = ["page"]


def page() -> None:
    """One run: command, commit, versions, configuration, seeds, what it went through; and the runs that are broken."""
    here = lab()
    for broken in here.broken:
        st.warning(f"{plain(str(broken.path))}: {plain(broken.reason)}")
    if not here.runs:
        st.info("There are no runs yet.")
        return
    run = here.run(choose.run([run.run for run in here.runs]))
    assert run is not None
    made = run.provenance
    if made is None:
        st.warning("This run is not finished: the same command goes on with it.")
    else:
        st.subheader("Repeat it")
        st.code(made.command, language="sh")
        changed = " with uncommitted changes" if made.dirty else ""
        st.dataframe(
            [
                {"what": "commit", "value": f"{made.commit or 'unknown'}{changed}"},
                {"what": "begun", "value": f"{made.started:%Y-%m-%d %H:%M:%S} UTC"},
                {"what": "seconds", "value": f"{made.seconds:.1f}"},
                {"what": "device", "value": made.device},
                {"what": "machine", "value": f"{made.platform}, {made.cpu_count} cores"},
                {"what": "seeds", "value": ", ".join(map(str, made.seeds))},
                *({"what": name, "value": str(version)} for name, version in made.versions.items()),
            ],
            hide_index=True,
        )
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
