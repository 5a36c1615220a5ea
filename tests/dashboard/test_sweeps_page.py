from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.dashboard.factories import chart_specs, open_page


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
