"""What runs at this moment, with progress and time left. A page that shows it draws itself again as results change."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import streamlit as st

from lcl_lab import dashboard, reporting, store
from lcl_lab.control_characters import escape_controls
from lcl_lab.dashboard.escape import escape_markdown
from lcl_lab.dashboard.run_index import RunIndex, has_changed
from lcl_lab.errors import UserError
from lcl_lab.file_locks import is_held

__all__ = ["progress_text", "show_live_runs"]

_INTERVAL = "3s"
_PAUSE = 10.0  # seconds between two analyses of results that grow
_ENDED = ("finished", "stopped early", "failed")
_SILENT = 30.0  # seconds without new records after which a page says so


def show_live_runs(index: RunIndex, study: str | None = None) -> None:
    """Show the runs that are open in a process, and draw the page again whenever results have changed.

    Args:
        index: the results that the page shows.
        study: shows the runs of this study only; None shows those of all studies, and sweeps.
    """
    _watch(index, study, time.monotonic())


@st.fragment(run_every=_INTERVAL)
def _watch(index: RunIndex, study: str | None, drawn: float) -> None:
    running = [run for run in index.runs if not run.finished and study in (None, run.study) and store.is_open(run.path)]
    try:
        for run in running:
            _show_progress(run)
        for lock in _running_sweeps(index) if study is None else ():
            _show_sweep(lock.parent)
    except UserError as error:  # a log that cannot be read
        st.warning(escape_markdown(str(error)))
    if has_changed(index) and (not running or time.monotonic() - drawn > _PAUSE):
        st.rerun()


def _show_progress(run: store.RunInfo) -> None:
    progress = store.read_progress(store.read_events(run.path))
    name = escape_markdown(run.run)
    if progress is None:
        text = reporting.render("{count:,} records so far", {"count": run.records})
        st.progress(0.0, f"{name}: {text}")
    else:
        st.progress(progress.share, f"{name}: {progress_text(progress)}")


def progress_text(progress: store.RunProgress) -> str:
    """Stored and planned records, the rate, and the time left, as far as they are known."""
    values = {"stored": progress.stored, "total": progress.total, "rate": progress.per_second}
    parts = [reporting.render("{stored:,} of {total:,} answers", values)]
    if progress.per_second is not None:
        parts.append(reporting.render("{rate:.3g} per second", values))
    if progress.seconds_left is not None:
        parts.append(f"about {reporting.format_duration(progress.seconds_left)} left")
    if progress.silent > _SILENT:
        parts.append(f"nothing new for {reporting.format_duration(progress.silent)}")
    return ", ".join(parts)


def _running_sweeps(index: RunIndex) -> list[Path]:
    """The locks of the sweeps that a process runs."""
    root = index.requested / "sweeps"
    locks = [lock for lock in sorted(root.glob("*/sweep.lock")) if lock.resolve().is_relative_to(root.resolve())]
    return [lock for lock in locks if is_held(lock)]


def _show_sweep(folder: Path) -> None:
    log = folder / "events.jsonl"
    trials = dashboard.trial_states(dashboard.read_trial_events(log) if log.is_file() else pd.DataFrame())
    ended = trials["status"].isin(_ENDED)
    counts = reporting.render("{ended} of {count} trials ended", {"ended": int(ended.sum()), "count": len(trials)})
    left = _seconds_left(trials[ended]["minutes"], trials[trials["status"] == "running"]["minutes"], len(trials))
    time_left = "" if left is None else f", about {reporting.format_duration(left)} left"
    share = float(ended.mean()) if len(trials) else 0.0
    st.progress(share, f"Sweep {escape_markdown(escape_controls(folder.name))}: {counts}{time_left}")


def _seconds_left(ended: pd.Series, running: pd.Series, count: int) -> float | None:
    """The time that the other trials take if each takes the mean of those that have ended, as many at once as now."""
    if ended.empty or running.empty:
        return None
    mean = float(ended.mean())
    waiting = count - len(ended) - len(running)
    minutes = waiting * mean + (mean - running).clip(lower=0).sum()
    return 60 * float(minutes) / len(running)
