"""The events of a sweep's trials, as the sweep's log has them, and the state of each trial."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import AwareDatetime, BaseModel, ValidationError

from lcl_lab.atomic import reporting_os_errors

__all__ = ["read_trial_events", "trial_states"]

_SILENT_AFTER = 900  # seconds without an event after which a running trial is shown as silent
_NOT_RUNNING = ("waiting", "finished", "stopped early", "failed")
_COLUMNS = ("trial", "status", "doing", "step", "steps", "loss", "accuracy", "minutes", "reason")


class _TrialEvent(BaseModel):
    """An event as the monitor of a sweep writes it; other fields are ignored."""

    time: AwareDatetime
    trial: str
    status: str
    doing: str | None = None
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    reason: str | None = None


def read_trial_events(file: Path) -> pd.DataFrame:
    """The complete events of a sweep, oldest first; the last line may still be being written.

    Returns:
        The columns time, trial and status, and those of `_COLUMNS` that any event has.

    Raises:
        UserError: the file cannot be read.
    """
    with reporting_os_errors("read", file):
        lines = file.read_bytes().splitlines()
    events = [event.model_dump(exclude_none=True) for event in map(_event, lines) if event is not None]
    return pd.DataFrame(events, columns=None if events else ["time", "trial", "status"])


def _event(line: bytes) -> _TrialEvent | None:
    try:
        return _TrialEvent.model_validate_json(line, strict=True)
    except ValidationError:
        return None


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
        state = states.setdefault(event["trial"], {"first": event["time"]})
        if state.get("status") == "waiting":
            state["first"] = event["time"]
        state |= {**event, "last": event["time"], "reason": event.get("reason", "")}
    for state in states.values():
        minutes = (state["last"] - state["first"]).total_seconds() / 60
        state["minutes"] = max(0.0, round(minutes, 1))  # clocks are set back
        silence = (datetime.now(UTC) - state["last"]).total_seconds()
        if state["status"] not in _NOT_RUNNING and silence > _SILENT_AFTER:
            state["status"] = "silent"
    return pd.DataFrame(list(states.values()), columns=list(_COLUMNS)).fillna({"reason": ""})
