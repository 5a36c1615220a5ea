"""One row per run: what it is, what it took, and what the user noted about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from lcl_lab import reporting, store
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import RunIndex, content_state

__all__ = ["run_table", "run_table_text"]

_TYPES = {
    "run": "str",
    "tags": "object",
    "note": "str",
    "state": "str",
    "started": "datetime64[us, UTC]",
    "wall time": "float",
    "model time": "float",
    "records": "Int64",
    "prompt tokens": "Int64",
    "disk": "Int64",
    "device": "str",
    "workers": "Int64",
    "models": "str",
}
"""The columns, with what they are stored as."""
_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "tags": ", ".join,
    "started": "{:%Y-%m-%d %H:%M}".format,
    "wall time": reporting.format_duration,
    "model time": reporting.format_duration,
    "records": "{:,}".format,
    "prompt tokens": "{:,}".format,
    "disk": reporting.format_size,
}
_Costs = dict[str, tuple[float, int | None]]


def run_table(index: RunIndex) -> pd.DataFrame:
    """The readable and the broken runs of a results folder.

    Returns:
        The columns run, tags, note, state, started, wall time and model time (seconds), records, prompt tokens, disk
        (bytes), device, workers and models; values that are not known are missing.
    """
    state = tuple((run.run, content_state(run.path)) for run in index.runs)
    costs = _cached_costs(state, index.runs)
    readable = [_row(run, index.notes[run.run], *costs.get(run.run, (None, None))) for run in index.runs]
    broken = [_broken_row(run) for run in index.broken]
    rows = pd.DataFrame([*readable, *broken], columns=list(_TYPES))
    return rows.astype(_TYPES)


def run_table_text(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of `run_table` as they are read; what is not known is empty."""
    return pd.DataFrame({name: _texts(rows[name], _FORMATS.get(str(name), str)) for name in rows.columns})


def _texts(values: pd.Series, form: Callable[[Any], str]) -> list[str]:
    missing = values.isna()
    return ["" if is_missing else form(value) for value, is_missing in zip(values, missing, strict=True)]


def _row(run: store.RunInfo, notes: store.RunNotes, seconds: float | None, tokens: int | None) -> dict[str, Any]:
    provenance = run.provenance
    return {
        "run": run.run,
        "tags": list(notes.tags),
        "note": notes.note,
        "state": "finished" if run.finished else "running" if store.is_open(run.path) else "interrupted",
        "models": ", ".join(str(model["name"]) for model in run.config.get("models") or []),
        "started": run.created,
        "wall time": provenance and provenance.seconds,
        "model time": seconds,
        "device": provenance and provenance.device,
        "workers": provenance and provenance.workers,
        "records": run.records,
        "prompt tokens": tokens,
        "disk": store.disk_use(run.path),
    }


def _broken_row(run: store.BrokenRun) -> dict[str, Any]:
    name = escape_controls(f"{run.path.parent.name}/{run.path.name}")
    return {"run": name, "tags": [], "note": run.reason, "state": "broken", "disk": store.disk_use(run.path)}


@st.cache_data(max_entries=8, show_spinner="Adding up what the runs took …")
def _cached_costs(state: tuple[tuple[str, int], ...], _runs: Sequence[store.RunInfo]) -> _Costs:
    """By run: the seconds of its models, and the tokens of its prompts where they are known."""
    with connect_runs(_runs) as connection:
        rows = connection.execute("SELECT run, sum(seconds), sum(prompt_tokens) FROM records GROUP BY run").fetchall()
    return {str(run): (float(seconds or 0), None if tokens is None else int(tokens)) for run, seconds, tokens in rows}
