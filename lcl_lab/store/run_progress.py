"""How far a run is, and how fast, according to its log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lcl_lab.store.event_log import PLANNED, STORED

__all__ = ["RunProgress", "read_progress"]


@dataclass(frozen=True)
class RunProgress:
    """The state of a run that is evaluated.

    Attributes:
        stored: the records that are stored, of `total`.
        total: the records that there will be.
        per_second: the records per second since it was begun or resumed; None before the first ones.
        seconds_left: None where it is not known yet.
        silent: the seconds since records were last stored, or since it was begun or resumed.
    """

    stored: int
    total: int
    per_second: float | None
    seconds_left: float | None
    silent: float

    @property
    def share(self) -> float:
        """The share of the records that are stored, from 0 to 1."""
        return min(1.0, self.stored / self.total) if self.total else 0.0


def read_progress(events: Sequence[Mapping[str, Any]], now: datetime | None = None) -> RunProgress | None:
    """The progress of a run since it was last begun or resumed.

    Args:
        events: its log, as `read_events` returns it.
        now: the time to compare with, UTC; None for this moment.

    Returns:
        The progress of its last design, where several follow each other; None before the first one is planned, and for
        runs of versions that did not log it.
    """
    starts = [number for number, event in enumerate(events) if event.get("event") == PLANNED]
    if not starts:
        return None
    begun, *after = events[starts[-1] :]
    added = [event for event in after if event.get("event") == STORED]
    count = sum(_number(event, "records") for event in added)
    last = _time(added[-1] if added else begun)
    elapsed = (last - _time(begun)).total_seconds()
    silent = max(0.0, ((now or datetime.now(UTC)) - last).total_seconds())
    stored, total = _number(begun, "stored") + count, _number(begun, "total")
    rate = count / elapsed if count and elapsed > 0 else None
    left = max(0.0, (total - stored) / rate - silent) if rate else None
    return RunProgress(stored, total, rate, left, silent)


def _number(event: Mapping[str, Any], name: str) -> int:
    """A count of an event; 0 where the log of another program has something else."""
    value = event.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _time(event: Mapping[str, Any]) -> datetime:
    try:
        time = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return datetime.fromtimestamp(0, UTC)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
