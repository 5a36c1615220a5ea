"""The log of a run: one JSON object per line, appended and never changed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from lcl_lab.atomic import parse_strict_json, reporting_os_errors
from lcl_lab.store.run_layout import EVENTS

__all__ = ["MERGED", "PLANNED", "STORED", "append_event", "read_events"]

PLANNED = "planned"
"""The event before records are computed: how many there will be in all, and how many of these are stored already."""
STORED = "stored"
"""The event before a shard is written: its cell, the SHA-256 of the file, and its number of records."""
MERGED = "merged"
"""The event before a merged shard is written: as `cell` its name, the SHA-256 of the file, and how many it replaces."""


def append_event(run: Path, event: str, **fields: object) -> None:
    """Append an event to the log of a run directory, with the UTC time.

    Raises:
        ValueError: a field is named ``time``.
        UserError: the log cannot be written.
    """
    if "time" in fields:
        raise ValueError("the time of an event is set by the log")
    line = json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **fields}, default=str) + "\n"
    path = run / EVENTS
    with reporting_os_errors("write", path), path.open("a+b") as file:
        file.write(("\n" + line if _is_incomplete(file) else line).encode())


def read_events(run: Path) -> list[dict[str, Any]]:
    """Read the events of a run directory, oldest first. Lines that a kill left incomplete are skipped.

    Raises:
        UserError: the log cannot be read.
    """
    path = run / EVENTS
    if not path.is_file():
        return []
    with reporting_os_errors("read", path):
        lines = path.read_bytes().splitlines()
    return [event for event in map(_event, lines) if event is not None]


def _is_incomplete(log: BinaryIO) -> bool:
    """Whether the last line is incomplete, so that a line appended to it would be lost."""
    if not log.seek(0, os.SEEK_END):
        return False
    log.seek(-1, os.SEEK_END)
    return log.read(1) != b"\n"


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_strict_json(line)
        json.dumps(event, ensure_ascii=False).encode()  # halves of surrogates cannot be shown
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
