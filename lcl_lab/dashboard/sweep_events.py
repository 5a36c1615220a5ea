"""The events of a sweep's trials, as the sweep's log has them, and the state of each trial."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

__all__ = ["read_trial_events", "trial_states"]

_SILENT_AFTER = 900  # seconds without an event after which a running trial is shown as silent
_NOT_RUNNING = ("waiting", "finished", "stopped early", "failed")
_COLUMNS = ("trial", "status", "doing", "step", "steps", "loss", "accuracy", "minutes", "reason")


def read_trial_events(file: Path) -> pd.DataFrame:
    """The complete events of a sweep, oldest first; the last line may still be being written.

    Returns:
        The columns time, trial and status, and those of `_COLUMNS` that any event has.
    """
    events = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and {"time", "trial", "status"} <= event.keys():
            events.append(event)
    return pd.DataFrame(events, columns=None if events else ["time", "trial", "status"])


def trial_states(events: pd.DataFrame) -> pd.DataFrame:
    """One row per trial: its state, last step, loss and accuracy, and why it failed.

    Args:
        events: of `read_trial_events`.

    Returns:
        The columns trial, status, doing, step, steps, loss, accuracy, minutes (of running) and reason.
    """
    states: dict[str, dict[str, Any]] = {}
    for record in events.to_dict(orient="records"):
        event = {str(name): value for name, value in record.items() if pd.notna(value)}
        state = states.setdefault(str(event["trial"]), {"first": event["time"]})
        if state.get("status") == "waiting":
            state["first"] = event["time"]
        state |= {**event, "trial": str(event["trial"]), "last": event["time"], "reason": event.get("reason", "")}
    for state in states.values():
        first, last = (datetime.fromisoformat(state[key]) for key in ("first", "last"))
        state["minutes"] = max(0.0, round((last - first).total_seconds() / 60, 1))  # clocks are set back
        if state["status"] not in _NOT_RUNNING and (datetime.now(UTC) - last).total_seconds() > _SILENT_AFTER:
            state["status"] = "silent"
    return pd.DataFrame(list(states.values()), columns=list(_COLUMNS)).fillna({"reason": ""})
