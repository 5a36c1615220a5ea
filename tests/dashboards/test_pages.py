"""Every page and every control, on real results, as Streamlit runs them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.results import options_of
from lcl_lab.store import Run, read_run, runs
from lcl_lab.studies.all import studies
from tests.dashboards.making import EVIL, SHIPPED, again, copied, newest, opened, write_evil

STUDIES = [study.name for study in studies()]
PAGES = ["", *STUDIES, "episodes", "compare", "sweeps", "provenance"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty results folder that the dashboard is started with."""
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(sys, "argv", ["app.py", "--results", str(folder)])
    return folder


def text(app: AppTest) -> str:
    """All that a page says but for charts and tables."""
    parts: list[str] = []
    for kind in ("title", "subheader", "caption", "text", "info", "warning", "error", "success", "markdown", "html"):
        parts += [str(element.proto.body) for element in app.get(kind)]
    return re.sub(r"\\(.)", r"\1", "\n".join(parts))


def chart_data(app: AppTest) -> str:
    return "\n".join(element.proto.spec for element in app.get("vega_lite_chart"))


def chosen(app: AppTest, label: str) -> Sequence[str]:
    return list(app.selectbox(label).options)


@pytest.mark.parametrize("page", PAGES)
def test_a_fresh_machine_sees_what_ships(page: str, results: Path) -> None:
    app = opened(page)
    assert not app.exception
    assert len(app.title) == 1
    if page in STUDIES and page != "qualitative":
        assert app.get("vega_lite_chart")
    if not page:
        assert "These results come with LCL Lab" in app.info[0].value


def test_what_ships_is_real_and_small() -> None:
    shipped = runs(SHIPPED)
    assert {run.study for run in shipped} == set(STUDIES)
    assert all(run.finished and run.provenance and not run.provenance.dirty for run in shipped)
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*")) < 4_000_000
    assert not list(SHIPPED.rglob("records/*"))


def test_the_newest_results_come_first_and_own_ones_replace_what_ships(results: Path) -> None:
    copied(results, "shots")
    app = opened()
    assert not any("come with LCL Lab" in info.value for info in app.info)
    assert "python -m lcl_lab.studies.false_ratio" in app.code[0].value
    assert not opened("shots").exception


def test_a_command_line_that_is_wrong_is_one_line(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", "--result", "x", "--dta"])
    app = opened()
    assert not app.exception
    assert "did you mean" in app.error[0].value


def test_a_study_s_controls_choose_models_metric_and_seeds(results: Path) -> None:
    copied(results, "false_ratio")
    app = opened("false_ratio")
    assert "mini/base" in chart_data(app)
    assert len(app.get("vega_lite_chart")) == 2
    app.multiselect("models").set_value(["mini/2-way", "mini/mix"]).run()
    assert not app.exception
    assert "mini/2-way" in chart_data(app)
    assert "mini/base" not in chart_data(app)
    app.selectbox("by").set_value("open-ended").run()
    assert len(app.get("vega_lite_chart")) == 1
    assert "candidate:" not in text(app)
    assert "open-ended: " in text(app)


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_read_with_any_of_its_models_alone(study: str, results: Path) -> None:
    copied(results, study)
    app = opened(study)
    (run,) = runs(results)
    for model in options_of(run)["model"]:
        app.multiselect("models").set_value([model]).run()
        assert not app.exception, model
        assert not app.info, app.info[0].value
        assert f"**{model}**" not in text(app)
    app.multiselect("models").set_value([]).run()
    assert app.info[0].value == "Choose a model and a seed."


def test_runs_of_one_design_are_read_together_over_models_and_seeds(results: Path) -> None:
    copied(results, "false_ratio")
    again(results, seed=1)
    app = opened("false_ratio")
    assert app.multiselect("seeds").value == ["1"]
    assert "over 200 queries" in text(app)
    app.multiselect("seeds").set_value(["0", "1"]).run()
    assert not app.exception
    assert "over 400 queries" in text(app)


def test_designs_are_told_apart_by_what_differs(results: Path) -> None:
    copied(results, "false_ratio")
    again(results, data={"name": "folder:photos", "fingerprint": "1"})
    app = opened("false_ratio")
    assert chosen(app, "of_data") == ["folder:photos", "world-100"]
    assert "of_shots" not in [select.key for select in app.selectbox]
    assert not app.selectbox("of_data").set_value("world-100").run().exception


@pytest.mark.parametrize("page", ["", "false_ratio", "compare"])
def test_what_takes_long_is_read_when_asked_for(page: str, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(results, "false_ratio")
    monkeypatch.setattr("dashboards.choose._AT_ONCE", 1_999)
    app = opened(page)
    assert not app.get("vega_lite_chart")
    assert app.toggle("all").label.startswith("Read 2,000 records" if page == "compare" else "Read 7,000 records")
    app.toggle("all").set_value(True).run()
    assert app.get("vega_lite_chart")
    assert opened(page, all="true").get("vega_lite_chart")


def test_half_written_and_broken_runs_are_told_and_break_nothing(results: Path) -> None:
    copied(results, "false_ratio", "shots")
    ratio, shots = (next(run for run in runs(results) if run.study == name) for name in ("false_ratio", "shots"))
    (shots.path / "records.parquet").write_bytes(b"PAR1 half")
    Run.open(results, "false_ratio", {**ratio.config, "seed": 9}).close()  # it has no cell yet
    (results / "order" / "20260101-000000-0123abcd").mkdir(parents=True)
    for page in PAGES:
        app = opened(page)
        assert not app.exception, page
        if page in ("", "provenance"):
            assert "records.parquet" in text(app)
            assert "config" in text(app)
    assert "not finished" in text(opened("false_ratio"))


def test_text_of_records_is_never_markup(results: Path) -> None:
    write_evil(results)
    for page in ("", "false_ratio", "episodes", "compare", "provenance"):
        app = opened(page)
        assert not app.exception, page
        for kind in ("title", "subheader", "caption", "info", "warning", "markdown", "html"):
            for element in app.get(kind):
                said = element.proto.body
                assert "<script" not in said
                assert kind == "html" or "![" not in said
                assert ":material" not in said or kind == "html"
        for select in app.selectbox:
            assert "![" not in select.label


def test_no_file_outside_the_results_folder_is_read(results: Path, tmp_path: Path) -> None:
    copied(tmp_path / "elsewhere", "shots")
    (results / "shots").mkdir()
    (run,) = runs(tmp_path / "elsewhere")
    (results / "shots" / run.path.name).symlink_to(run.path)
    write_evil(results)
    app = opened("shots")
    assert not app.exception
    assert "There is no run of this study yet" in text(app)
    app = opened("episodes", run="../../etc/passwd")
    assert app.selectbox("run").value is None
    assert "[folder:/etc:passwd:0]" in text(app)


def test_episodes_are_found_by_how_they_went_and_opened_by_their_address(results: Path) -> None:
    copied(results, "false_ratio")
    run = newest(results, "false_ratio")
    records = read_run(results / run)
    own = records[(records["model"] == "mini/2-way") & (records["false_ratio"] == 0.5)]
    app = opened("episodes", run=run, model="mini/2-way", false_ratio="0.5")
    assert not app.exception
    assert f"{len(own)} episodes" in text(app)
    app.selectbox("answers").set_value("wrong").run()
    wrong = own[~own["correct_candidate"].astype(bool)]
    assert f"{len(wrong)} episodes" in text(app)
    app.selectbox("beside").set_value("mini/base").run()
    app.selectbox("answers").set_value("flipped").run()
    base = records[(records["model"] == "mini/base") & (records["false_ratio"] == 0.5)].set_index("query_id")
    flipped = (own.set_index("query_id")["correct_candidate"] != base["correct_candidate"]).sum()
    assert f"{flipped} episodes" in text(app)
    app.selectbox("answers").set_value("all").run()
    pair = own["pair"].iloc[0]
    app.selectbox("pair").set_value(pair).run()
    assert f"{(own['pair'] == pair).sum()} episodes" in text(app)
    app.selectbox("pair").set_value("any").run()
    name = own["true_name"].iloc[0]
    app.selectbox("true_name").set_value(name).run()
    assert f"{(own['true_name'] == name).sum()} episodes" in text(app)

    app = opened("episodes", run=run, model="mini/2-way", false_ratio="0.5", query="7", beside="mini/base")
    assert not app.exception
    row = own[own["query_id"] == 7].iloc[0]
    assert f"Query 7: {row['true_name']}, not {row['other_name']}" in text(app)
    shown = [message for message in app.chat_message if message.name == "assistant"]
    assert len(shown) == len(row["support"]) + 1
    assert text(app).count("it is ") == sum(shot["false"] for shot in row["support"])
    assert f"mini/2-way: {row['answer']}" in text(app)
    assert "mini/base: " in text(app)
    app = opened("episodes", run=run, query="seven")
    assert "give its number" in text(app)


def test_pages_of_episodes_follow_one_another(results: Path) -> None:
    copied(results, "false_ratio")
    run = newest(results, "false_ratio")
    address = {"run": run, "model": "mini/2-way", "false_ratio": "0"}
    first, second = (opened("episodes", **address, page=page) for page in ("1", "2"))
    assert "query 0:" in text(first)
    assert "query 10:" in text(second)
    assert "query 0:" not in text(second)


def test_two_models_are_compared_on_the_same_queries(results: Path) -> None:
    copied(results, "false_ratio")
    app = opened("compare", a=f"mini/base, seed 0, {newest(results, 'false_ratio').split('/')[1]}")
    assert not app.exception
    assert "answers flip" in text(app)
    assert app.get("vega_lite_chart")
    table = app.dataframe[0].value
    assert set(table["gains"] + table["losses"]) != {0}
    assert table["queries"].eq(200).all()
    app.selectbox("by").set_value("open-ended").run()
    assert not app.exception


def test_a_sweep_is_seen_while_it_runs_with_failures_and_their_reasons(results: Path) -> None:
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
    app = opened("sweeps")
    assert not app.exception
    table = app.dataframe[0].value.set_index("trial")
    assert table["status"].tolist() == ["running", "failed", "silent", "waiting"]
    assert table.loc["mix-seed-0", ["step", "steps", "accuracy"]].tolist() == [50, 90, 0.6]
    assert "disk" in app.error[0].value and "<b>" not in app.error[0].value
    assert len(app.get("vega_lite_chart")) == 2


def test_the_command_that_repeats_a_run_is_told(results: Path) -> None:
    copied(results, "shots")
    app = opened("provenance")
    (run,) = runs(results)
    assert run.provenance
    assert app.code[0].value == run.provenance.command
    told = app.dataframe[0].value.set_index("what")["value"]
    assert run.provenance.commit in told["commit"]
    assert told["torch"] == run.provenance.versions["torch"]
    assert json.loads(app.json[0].value)["data"]["name"] == "world-100"
    assert EVIL not in text(app)
