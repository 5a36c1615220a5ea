from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.dashboard.factories import chart_specs, open_page, statements


def test_a_running_sweep_is_shown_with_failures_and_their_reasons(results: Path) -> None:
    folder = results / "sweeps" / "grid"
    folder.mkdir(parents=True)
    now = datetime.now(UTC).isoformat()
    events = [
        {
            "time": now,
            "trial": "mix-seed-0",
            "status": "running",
            "doing": "training",
            "step": 25,
            "steps": 90,
            "loss": 1.5,
        },
        {"time": now, "trial": "mix-seed-0", "status": "running", "doing": "training", "step": 50, "accuracy": 0.6},
        {"time": now, "trial": "mix-seed-1", "status": "failed", "reason": "OSError: <b>disk</b> full"},
        {"time": "2020-01-01T00:00:00+00:00", "trial": "mix-seed-2", "status": "running"},
        {"time": "2020-01-01T00:00:00+00:00", "trial": "mix-seed-3", "status": "waiting"},
    ]
    lines = [json.dumps(event) for event in events]
    (folder / "events.jsonl").write_text("\n".join([*lines, '{"time": "torn']))
    app = open_page("sweeps")
    assert not app.exception
    table = app.dataframe[0].value.set_index("trial")
    assert table["status"].tolist() == ["running", "failed", "silent", "waiting"]
    assert table.loc["mix-seed-0", ["step", "steps", "accuracy"]].tolist() == [50, 90, 0.6]
    assert "disk" in app.error[0].value and "<b>" not in app.error[0].value
    assert len(chart_specs(app)) == 2


def test_a_search_is_shown_with_its_best_trial_and_figures(results: Path) -> None:
    folder = results / "sweeps" / "search"
    (folder / "trials").mkdir(parents=True)
    names = [f"2-way-seed-0-{number}" for number in range(8)]
    options = [{"name": "learning_rate", "kind": "loguniform", "values": [1e-5, 1e-3]}]
    search = {"metric": "link_score", "mode": "max", "options": options, "trials": names}
    (folder / "search.json").write_text(json.dumps(search))
    now = datetime.now(UTC).isoformat()
    events = [json.dumps({"time": now, "trial": name, "status": "finished"}) for name in names]
    (folder / "events.jsonl").write_text("\n".join(events) + "\n")
    for number, name in enumerate(names):
        mark = {"setting": {"learning_rate": 1e-5 * (number + 1)}, "metric": "link_score", "value": number / 8}
        (folder / "trials" / f"{name}.json").write_text(json.dumps(mark))
    app = open_page("sweeps")
    assert not app.exception
    shown = " ".join(text for _, text in statements(app))
    assert "2-way-seed-0-7 has the largest link score of 8 trials, 0.875" in shown
    assert len(chart_specs(app)) == 2
    tables = [frame.value for frame in app.dataframe]
    assert any(table.columns.tolist() == ["trial", "link score", "learning_rate", "status"] for table in tables)
