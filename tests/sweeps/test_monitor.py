from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.sweeps.monitor import SweepMonitor


def test_the_monitor_writes_events_and_tells_finished_from_stopped_trials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: dict[str, Any] = {}

    def ended(name: str, last: dict[str, Any]) -> bool:
        seen[name] = last
        return name == "a"

    names, stages = ["a", "b", "c", "d"], ["starting", "training", "shots"]
    with SweepMonitor(tmp_path, names, {"d": {}}, stages, ended) as monitor:
        monitor.note("a", "running", {"doing": "training", "step": 2, "steps": 4, "loss": 1.25})
        monitor.note("a", "running", {"doing": "training", "step": 4, "steps": 4, "accuracy": 0.5})
        monitor.note("a", "ended", {"doing": ""})
        monitor.note("b", "ended", {"doing": ""})
        monitor.note("c", "failed", {"doing": "", "reason": "OSError: disk full"})
    assert seen == {"a": {"step": 4, "accuracy": 0.5}, "b": {"step": None, "accuracy": None}}
    assert monitor.failed == {"c": "OSError: disk full"}
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    statuses = [(event["trial"], event["status"]) for event in events]
    assert statuses[:3] == [("a", "waiting"), ("b", "waiting"), ("c", "waiting")]
    assert statuses[5:] == [("a", "finished"), ("b", "stopped early"), ("c", "failed")]
    table = capsys.readouterr().err
    assert "3 of 4 trials" in table
    assert "0.500 (best)" in table


def test_the_best_trial_may_have_finished_before_the_sweep_was_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks = {"a": {"steps": 4, "accuracy": 0.75}, "b": {"stopped": {"step": 2, "accuracy": 0.25}}}
    with SweepMonitor(tmp_path, ["a", "b", "c"], marks, ["starting", "training"], lambda name, last: True) as monitor:
        monitor.note("c", "running", {"doing": "training", "step": 4, "steps": 4, "accuracy": 0.5})
        monitor.note("c", "ended", {"doing": ""})
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().err.splitlines()]
    last = {row[0]: row[1:] for row in rows if row}
    assert last["a"] == ["finished", "", "4 of 4", "", "0.750 (best)"]
    assert last["b"] == ["stopped early", "", "", "", "0.250"]
    assert last["c"] == ["finished", "", "4 of 4", "", "0.500"]


def test_the_progress_of_a_study_is_shown_in_prompts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SweepMonitor(tmp_path, ["a", "b"], {}, ["starting", "shots"], lambda name, last: True) as monitor:
        monitor.note("a", "running", {"doing": "shots"})
        monitor.note("a", "running", {"doing": "shots", "answered": 30, "prompts": 120})
        assert monitor._progress(monitor._states["a"]) == 0.625  # the first of two stages, and a quarter of the second
        monitor._refresh()
        monitor.note("a", "running", {"doing": "starting"})  # tried again
        assert monitor._progress(monitor._states["a"]) == 0.0
    table = capsys.readouterr().err
    assert "held-out accuracy" not in table  # nothing is trained


def test_events_that_cannot_be_written_are_written_with_a_later_one(tmp_path: Path) -> None:
    with SweepMonitor(tmp_path, ["a"], {}, ["starting"], lambda name, last: True) as monitor:
        (tmp_path / "events.jsonl").rename(tmp_path / "kept")
        (tmp_path / "events.jsonl").mkdir()  # cannot be opened, whoever asks
        monitor.note("a", "running", {"doing": "starting"})
        (tmp_path / "events.jsonl").rmdir()
        (tmp_path / "kept").rename(tmp_path / "events.jsonl")
        monitor.note("a", "ended", {"doing": ""})
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [event["status"] for event in events] == ["waiting", "running", "finished"]
