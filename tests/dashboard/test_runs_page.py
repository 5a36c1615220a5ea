from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lcl_lab.dashboard import DashboardConfig
from lcl_lab.dashboard.run_index import read_index
from lcl_lab.dashboard.run_table import run_table, run_table_text
from lcl_lab.reporting import Findings, Section, Table, findings_page
from lcl_lab.store import Run, read_notes, runs, write_notes
from tests.dashboard.factories import HOSTILE, copy_shipped, open_page, page_text, tables, write_hostile_run


def act(app: AppTest, action: str, run: str) -> AppTest:
    """Press the button of an action, and confirm it."""
    app.button(f"{action} {run}").click().run()
    return app.button(f"confirm {action}").click().run()


def test_a_run_is_archived_deleted_and_restored(results: Path) -> None:
    copy_shipped(results, "shots", "order")
    name = next(run.run for run in runs(results) if run.study == "shots")
    app = act(open_page("runs", run=name), "Archive", name)
    assert not app.exception
    assert not app.toast
    assert dict(app.query_params) == {}
    assert [run.study for run in runs(results)] == ["order"]
    assert tables(app)[0]["run"].tolist() == [run.run for run in runs(results)]
    assert "There is no run of this study yet" in page_text(open_page("shots"))
    assert name not in open_page("provenance").selectbox("run").options
    app = act(open_page("runs", place="archived", run=name), "Delete", name)
    assert dict(app.query_params) == {"place": "archived"}
    assert "No runs are archived." in page_text(app)
    assert (results / "trash" / name / "records.parquet").is_file()
    app = act(open_page("runs", place="deleted"), "Restore", name)
    assert not app.exception
    assert {run.study for run in runs(results)} == {"shots", "order"}


def test_nothing_moves_without_confirmation(results: Path) -> None:
    copy_shipped(results, "shots")
    (run,) = runs(results)
    app = open_page("runs")
    app.button(f"Delete {run.run}").click().run()
    assert "trash" in page_text(app)
    app.run()
    assert [one.run for one in runs(results)] == [run.run]


def test_notes_and_tags_are_stored_and_shown_where_runs_are_chosen(results: Path) -> None:
    copy_shipped(results, "shots")
    (run,) = runs(results)
    app = open_page("runs")
    app.text_area[0].set_value("the one of the paper")
    app.multiselect[0].set_value(["final"])
    app.button[0].click().run()
    assert not app.exception
    assert (read_notes(run.path).note, read_notes(run.path).tags) == ("the one of the paper", ("final",))
    assert tables(app)[0]["note"].tolist() == ["the one of the paper"]
    for page in ("runs", "episodes"):
        app = open_page(page)
        assert app.selectbox("run").options == [f"{run.run} · final · the one of the paper"], page
    assert app.selectbox("run").set_value(run.run).run().query_params["run"] == run.run


def test_what_a_run_took_is_shown(results: Path) -> None:
    copy_shipped(results, "shots")
    (run,) = runs(results)
    assert run.provenance
    row = tables(open_page("runs"))[0].iloc[0]
    assert row["wall time"] == run.provenance.seconds
    assert row["device"] == run.provenance.device
    assert row["records"] == run.records
    assert 0 < row["model time"] < 10 * run.provenance.seconds
    assert row["disk"] == sum(file.stat().st_size for file in run.path.iterdir())
    assert row["state"] == "finished"


def test_the_table_is_exported_as_it_is_read(results: Path) -> None:
    copy_shipped(results, "shots", "order")
    (results / "order" / "20260101-000000-0123abcd").mkdir()
    text = run_table_text(run_table(read_index(DashboardConfig(results=results))))
    (run,) = (run for run in runs(results) if run.study == "shots")
    row = text[text["run"] == run.run].iloc[0]
    assert row["records"] == f"{run.records:,}"
    assert row["disk"].endswith(" kB") and row["wall time"].endswith(" s")
    assert text[text["state"] == "broken"][["records", "device", "started"]].to_numpy().tolist() == [["", "", ""]]
    page = findings_page(Findings("Runs", [Section("Runs", tables=[Table("Runs", text)])]))
    assert run.run in page and "nan" not in page and "&lt;NA&gt;" not in page


def test_a_running_run_cannot_be_moved(results: Path) -> None:
    copy_shipped(results, "shots")
    (shipped,) = runs(results)
    with Run.open(results, "shots", {**shipped.config, "seed": 7}) as run:
        name = f"shots/{run.path.name}"
        app = open_page("runs", run=name)
        assert app.button(f"Archive {name}").disabled and app.button(f"Delete {name}").disabled
        assert tables(app)[0]["state"].tolist() == ["running", "finished"]
    app = open_page("runs", run=name)
    assert not app.button(f"Archive {name}").disabled
    assert tables(app)[0]["state"].tolist() == ["interrupted", "finished"]


def test_a_change_that_fails_is_reported(results: Path) -> None:
    copy_shipped(results, "shots")
    (run,) = runs(results)
    (results / "archive" / run.run).mkdir(parents=True)
    app = act(open_page("runs"), "Archive", run.run)
    assert not app.exception
    assert "already exists" in app.toast[0].value.replace("\\", "")
    assert [one.run for one in runs(results)] == [run.run]


def test_shipped_results_are_read_only(results: Path) -> None:
    app = open_page("runs")
    assert not app.exception
    assert "read-only" in app.info[0].value
    assert not app.button and not app.text_area


def test_a_broken_run_can_be_deleted(results: Path) -> None:
    copy_shipped(results, "shots", "order")
    broken = next(run for run in runs(results) if run.study == "shots")
    (broken.path / "config.json").write_text(json.dumps({"config": {}}))
    app = open_page("runs", run=broken.run)
    assert dict(zip(tables(app)[0]["run"], tables(app)[0]["state"], strict=True))[broken.run] == "broken"
    act(app, "Delete", broken.run)
    assert not broken.path.exists()


@pytest.mark.parametrize("name", ["note", "tags"])
def test_notes_of_strangers_are_never_markup(name: str, results: Path) -> None:
    run = write_hostile_run(results)
    write_notes(run.path, HOSTILE if name == "note" else "", [HOSTILE[:40]] if name == "tags" else [])
    app = open_page("runs")
    assert not app.exception
    assert HOSTILE[:20] not in "".join(str(element.proto.body) for element in app.get("markdown"))
