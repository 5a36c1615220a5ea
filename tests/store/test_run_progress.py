from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lcl_lab.store import PLANNED, Run, read_events, read_progress

from .factories import CONFIG, STUDY, records

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(seconds: float, name: str, **fields: Any) -> dict[str, Any]:
    return {"time": (START + timedelta(seconds=seconds)).isoformat(), "event": name, **fields}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_rate_and_time_left_are_those_since_the_run_was_resumed() -> None:
    events = [
        event(0, PLANNED, total=100, stored=0),
        event(1, "stored", records=10),
        event(1000, PLANNED, total=100, stored=10),
        event(1005, "stored", records=20),
        event(1010, "stored", records=20),
    ]
    progress = read_progress(events, at(1012))
    assert progress
    assert (progress.stored, progress.total, progress.share) == (50, 100, 0.5)
    assert progress.per_second == 4.0
    assert progress.seconds_left == 50 / 4 - 2
    assert progress.silent == 2


def test_before_the_first_records_the_rate_is_not_known() -> None:
    assert read_progress([event(0, "began")]) is None
    progress = read_progress([event(0, PLANNED, total=100, stored=0)], at(5))
    assert progress
    assert (progress.per_second, progress.seconds_left, progress.silent, progress.share) == (None, None, 5, 0)


def test_events_of_others_are_read_as_far_as_they_make_sense() -> None:
    odd: list[dict[str, Any]] = [{"event": PLANNED, "total": "many", "time": 3}, {"event": "stored", "records": -1}]
    progress = read_progress(odd)
    assert progress
    assert (progress.stored, progress.total, progress.share, progress.per_second) == (0, 0, 0, None)


def test_a_run_logs_what_its_progress_is_read_from(tmp_path: Path) -> None:
    with Run.open(tmp_path, STUDY, CONFIG) as run:
        run.note(PLANNED, total=6, stored=0)
        run.commit("a", records(3))
        progress = read_progress(read_events(run.path))
    assert progress
    assert (progress.stored, progress.total) == (3, 6)
    assert progress.per_second and progress.seconds_left is not None
