"""Files of runs and sweeps with arbitrary changes: a run is either broken, or as it was; readers never fail."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings

from lcl_lab import figures
from lcl_lab.dashboard import read_trial_events, trial_states
from lcl_lab.errors import UserError
from lcl_lab.store import Run, all_runs, connect_to, count_look, read_events, read_info, read_run
from lcl_lab.studies import read_history, read_search, search_sections, stored_config, stored_options
from lcl_lab.studies.registration import _digest, read_registration
from lcl_lab.studies.study_registry import find_study
from tests.faults.damage import forget_checksums
from tests.faults.mutations import Mutation, mutations
from tests.store.factories import CONFIG, STUDY, provenance, record

pytestmark = pytest.mark.attack

FEW = settings(max_examples=8, derandomize=True, deadline=None, database=None)
MANY = settings(FEW, max_examples=60)


PRESETS = ("finished", "unfinished", "earlier finished", "earlier unfinished")
"""Runs of this version, and of an earlier one that stored no checksums."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run of each preset, each next to a good one."""
    return {preset: _store(tmp_path_factory.mktemp("results"), preset) for preset in PRESETS}


def _store(results: Path, preset: str) -> Path:
    for name in ("good", preset):
        with Run.open(results, STUDY, {**CONFIG, "preset": name}) as run:
            run.note("began", options={"queries": 2})
            for cell in range(2):
                run.commit(f"cell={cell}", [record(query, cell, shots=4) for query in range(2)])
            run.note("analysed", look=1)
            if not name.endswith("unfinished"):
                run.finish(provenance())
    if preset.startswith("earlier"):
        forget_checksums(run.path)
    return run.path


def mutate(file: Path, changes: Sequence[Mutation]) -> bytes:
    """Change a file; the content that it had."""
    before = file.read_bytes()
    content = before
    for change in changes:
        content = change(content)
    file.write_bytes(content)
    return before


def check(run: Path, name: str, changes: Sequence[Mutation], is_exact: bool) -> None:
    records = read_run(run)
    before = mutate(run / name, changes)
    try:
        readable, broken = all_runs(run.parents[1])
        assert "good" in {info.config["preset"] for info in readable}
        if broken:
            assert broken[0].path == run and len(broken[0].reason.splitlines()) == 1
            with pytest.raises(UserError):
                read_run(run)
        else:
            now = read_run(run)
            assert len(now) == sum(info.records for info in readable if info.path == run)
            assert not is_exact or now.equals(records)
        with connect_to(readable) as connection:
            assert len(connection.execute("SELECT * FROM records").fetchall()) >= 4
    finally:
        (run / name).write_bytes(before)


SHARD = "records/cell=1.parquet"
FILES = [
    ("finished", "records.parquet", True),
    ("unfinished", SHARD, True),
    ("earlier finished", "records.parquet", False),
    ("earlier unfinished", SHARD, False),
    ("finished", "manifest.json", True),
    ("finished", "config.json", True),
    ("unfinished", "events.jsonl", True),
    ("unfinished", "config.json", True),
]


@pytest.mark.parametrize(("preset", "name", "is_exact"), FILES)
@FEW
@given(changes=mutations())
def test_changed_files(
    stored: dict[str, Path], preset: str, name: str, is_exact: bool, changes: list[Mutation]
) -> None:
    check(stored[preset], name, changes, is_exact)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "name", "is_exact"), FILES)
@MANY
@given(changes=mutations())
def test_files_changed_in_many_ways(
    stored: dict[str, Path], preset: str, name: str, is_exact: bool, changes: list[Mutation]
) -> None:
    check(stored[preset], name, changes, is_exact)


@FEW
@given(changes=mutations())
def test_the_log_of_a_run(stored: dict[str, Path], changes: list[Mutation]) -> None:
    run = stored["finished"]
    before = mutate(run / "events.jsonl", changes)
    try:
        info = read_info(run)
        assert all(isinstance(event, dict) for event in read_events(run))
        assert isinstance(stored_options(info), dict)
        stored_config(find_study("shots"), info)
        assert read_history(run).looks >= 1
    finally:
        (run / "events.jsonl").write_bytes(before)


@FEW
@given(changes=mutations())
def test_the_log_of_looks(stored: dict[str, Path], changes: list[Mutation]) -> None:
    folder = stored["finished"].parent
    (folder / "looks.jsonl").unlink(missing_ok=True)
    assert count_look(folder, CONFIG, "first") == 1
    mutate(folder / "looks.jsonl", changes)
    looks = [count_look(folder, CONFIG, "second") for _ in range(2)]
    assert looks in ([1, 1], [2, 2])


REGISTRATION = {
    "time": "2026-01-01T00:00:00+00:00",
    "content": {"study": "shots", "claims": [{"claim": "x", "bounds": [0.5, None]}], "margins": {"margin": 0.1}},
}


@FEW
@given(changes=mutations())
def test_the_registration_of_a_run(tmp_path_factory: pytest.TempPathFactory, changes: list[Mutation]) -> None:
    run = tmp_path_factory.mktemp("run", numbered=True)
    file = run / "registration.json"
    file.write_text(json.dumps({**REGISTRATION, "file": "r.json", "sha256": _digest(REGISTRATION)}, indent=1))
    intact = read_registration(run)
    mutate(file, changes)
    try:
        registration = read_registration(run)
    except UserError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert registration and intact and registration.content == intact.content


EVENTS = [
    {"time": "2026-01-01T00:00:00+00:00", "trial": "a", "status": "waiting"},
    {"time": "2026-01-01T00:00:01+00:00", "trial": "a", "status": "running", "step": 1, "steps": 2, "loss": 0.5},
    {"time": "2026-01-01T00:00:02+00:00", "trial": "a", "status": "running", "step": 2, "steps": 2, "accuracy": 1.0},
    {"time": "2026-01-01T00:00:03+00:00", "trial": "b", "status": "failed", "reason": "no memory"},
]


def check_events(file: Path, changes: Sequence[Mutation]) -> None:
    file.write_text("".join(f"{json.dumps(event)}\n" for event in EVENTS))
    mutate(file, changes)
    events = read_trial_events(file)
    states = trial_states(events)
    assert set(states["trial"]) == set(events["trial"])
    if "step" in events and events["step"].notna().any():
        figures.trials_figure(events[events["step"].notna()])
    assert isinstance(states.to_csv(), str) and isinstance(states, pd.DataFrame)


@FEW
@given(changes=mutations())
def test_the_events_of_a_sweep(stored: dict[str, Path], changes: list[Mutation]) -> None:
    check_events(stored["finished"].parent / "events.jsonl", changes)


@pytest.mark.slow
@MANY
@given(changes=mutations())
def test_many_events_of_a_sweep(stored: dict[str, Path], changes: list[Mutation]) -> None:
    check_events(stored["finished"].parent / "events.jsonl", changes)


OPTIONS = [
    {"name": "learning_rate", "kind": "loguniform", "values": [1e-5, 1e-3]},
    {"name": "lora", "kind": "choice", "values": [4, 8]},
]


@FEW
@given(of_search=mutations(), of_mark=mutations())
def test_the_search_of_a_sweep(stored: dict[str, Path], of_search: list[Mutation], of_mark: list[Mutation]) -> None:
    folder = stored["finished"].parent / "search"
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    search = {"metric": "link_score", "mode": "max", "options": OPTIONS, "trials": [*"abcdefgh"]}
    (folder / "search.json").write_text(json.dumps(search))
    for number, name in enumerate("abcdefgh"):
        setting = {"learning_rate": 1e-5 * (number + 1), "lora": 4}
        mark = {"setting": setting, "metric": "link_score", "value": number / 8}
        (folder / "trials" / f"{name}.json").write_text(json.dumps(mark))
    mutate(folder / "search.json", of_search)
    mutate(folder / "trials" / "a.json", of_mark)
    results = read_search(folder)
    assert len(list(search_sections(results)) if results else []) in (0, 2)


@pytest.mark.parametrize(
    "line",
    [
        '{"time": "2026-01-01", "trial": "a", "status": "running"}',
        '{"time": "2026-01-01T00:00:00", "trial": "a", "status": "running"}',
        '{"time": "yesterday", "trial": "a", "status": "running"}',
        '{"time": 1e999, "trial": "a", "status": "running"}',
        '{"time": null, "trial": "a", "status": "running"}',
        '{"time": "2026-01-01T00:00:00+00:00", "trial": ["a"], "status": "running"}',
        '{"time": "2026-01-01T00:00:00+00:00", "trial": "a", "status": {}}',
        '{"time": "2026-01-01T00:00:00+00:00", "trial": "a", "status": "running", "step": "x"}',
        '{"time": "2026-01-01T00:00:00+00:00", "trial": "a", "status": "running", "loss": []}',
        '{"time": "2026-01-01T00:00:00+00:00", "trial": "\\ud800", "status": "running"}',
        "[" * 100_000,
        "1" * 10_000,
        "null",
    ],
)
def test_a_line_that_is_no_event_of_a_sweep(tmp_path: Path, line: str) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(f"{text}\n" for text in (json.dumps(EVENTS[0]), line, json.dumps(EVENTS[3]))))
    assert trial_states(read_trial_events(file))["trial"].tolist() == ["a", "b"]
