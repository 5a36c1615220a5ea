from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.dashboard.factories import (
    TRIALS,
    chart_rows,
    chart_specs,
    copy_shipped,
    open_page,
    page_text,
    statements,
    tables,
    write_sweep,
)


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
    app = open_page("sweeps", view="Trials")
    assert not app.exception
    table = app.dataframe[0].value.set_index("trial")
    assert table["status"].tolist() == ["running", "failed", "silent", "waiting"]
    assert table.loc["mix-seed-0", ["step", "steps", "accuracy"]].tolist() == [50, 90, 0.6]
    assert "disk" in app.error[0].value and "<b>" not in app.error[0].value
    assert len(chart_specs(open_page("sweeps", view="Learning curves"))) == 2
    assert "No trial has finished" in page_text(open_page("sweeps"))


def test_a_search_is_shown_with_its_best_trial_and_figures(results: Path) -> None:
    folder = results / "sweeps" / "search"
    (folder / "trials").mkdir(parents=True)
    names = [f"2-way-seed-0-00000{number}" for number in range(8)]
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
    assert "2-way-seed-0-000007 has the largest link score of 8 trials, 0.875" in shown
    assert len(chart_specs(app)) == 2
    headings = ["trial", "link score", "learning_rate", "status"]
    assert any(table.columns.tolist() == headings for table in tables(app))


def test_results_are_those_of_the_report_over_trainings(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    write_sweep(results, TRIALS)
    app = open_page("sweeps")
    assert not app.exception
    means, differences = tables(app)
    assert means["model"].tolist() == ["2-way (2 trainings)", "mix (2 trainings)"]
    assert set(differences["comparison"]) == {"mix − 2-way"}
    assert "differences between strategies remain after Holm's correction" in " ".join(t for _, t in statements(app))
    app.selectbox("by").set_value("open-ended").run()
    assert {metric for metric, _ in statements(app)} == {"open-ended"}


def test_a_trial_leads_to_its_records_and_has_its_cost(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    write_sweep(results, TRIALS)
    app = open_page("sweeps", view="Trials", trial="mix-seed-1")
    assert not app.exception
    trials, cost = tables(app)
    assert trials.set_index("trial").loc["mix-seed-1", ["seconds", "peak memory (MiB)"]].tolist() == [63, 1024]
    assert cost.set_index("strategy").loc["2-way", ["trials", "seconds"]].tolist() == [2, 121]
    assert "4 finished trials took 246 s together" in " ".join(text for _, text in statements(app))
    links = [element.proto for element in app.get("page_link")]
    assert [link.page for link in links] == ["episodes", "false_ratio"]
    assert "model=mix-seed-1" in links[0].query_string and "models=mix-seed-1" in links[1].query_string


def test_curves_of_one_strategy_have_one_colour(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    write_sweep(results, TRIALS)
    app = open_page("sweeps", view="Learning curves")
    assert {row["strategy"] for row in chart_rows(app) if "strategy" in row} == {"2-way", "mix"}


def test_damaged_marks_and_missing_runs_blank_nothing(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    folder = write_sweep(results, TRIALS)
    (folder / "trials" / "mix-seed-0.json").write_text('{"runs": 3}')
    mark = json.loads((folder / "trials" / "mix-seed-1.json").read_text())
    mark["runs"] = ["false_ratio/../../elsewhere"]
    (folder / "trials" / "mix-seed-1.json").write_text(json.dumps(mark))
    app = open_page("sweeps")
    assert not app.exception
    assert "elsewhere" in app.warning[0].value
    assert tables(app)[0]["model"].tolist() == ["2-way (2 trainings)"]
