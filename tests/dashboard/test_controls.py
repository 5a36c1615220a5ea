from __future__ import annotations

from pathlib import Path

import pytest

from tests.dashboard.factories import chart_specs, copy_shipped, open_page, repeat_run


def test_designs_are_selected_by_what_differs(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    repeat_run(results, data={"name": "folder:photos", "fingerprint": "1"})
    app = open_page("false_ratio")
    assert app.selectbox("of_data").options == ["folder:photos", "world-100"]
    assert "of_shots" not in [select.key for select in app.selectbox]
    assert not app.selectbox("of_data").set_value("world-100").run().exception


@pytest.mark.parametrize("page", ["", "false_ratio", "compare"])
def test_reading_that_takes_long_is_confirmed(page: str, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_shipped(results, "false_ratio")
    monkeypatch.setattr("lcl_lab.dashboard.controls._MAX_RECORDS", 1_999)
    app = open_page(page, by="open-ended")
    assert not chart_specs(app)
    assert app.toggle("all").label.startswith("Read 4,000 records" if page == "compare" else "Read 7,000 records")
    app.toggle("all").set_value(True).run()
    assert chart_specs(app)
    assert app.selectbox("by").value == "open-ended"
    assert chart_specs(open_page(page, all="true"))


def test_the_address_has_what_controls_show_and_nothing_else_has(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_shipped(results, "false_ratio")
    monkeypatch.setattr("lcl_lab.dashboard.controls._MAX_MODELS", 2)
    models = ["mini/base", "mini/base", "mini/mix", "mini/2-way"]
    app = open_page("false_ratio", models=models, by="candidate", other="kept")
    assert app.multiselect("models").value == ["mini/base", "mini/mix"]
    app.selectbox("by").set_value("both").run()
    assert dict(app.query_params) == {"models": models, "other": "kept"}
    app.multiselect("models").set_value([]).run()
    assert app.multiselect("models").value == []
    assert dict(app.query_params) == {"models": "", "other": "kept"}
    app.query_params["models"] = "mini/mix"  # as a step back does
    assert app.run().multiselect("models").value == ["mini/mix"]


def test_another_filter_begins_with_the_first_page(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("episodes", page="3")
    assert "page" in app.query_params
    app.selectbox("answers").set_value("wrong").run()
    assert dict(app.query_params) == {"answers": "wrong"}
    assert not app.warning


def test_an_address_that_asks_for_what_is_not_there_says_so(results: Path) -> None:
    copy_shipped(results, "false_ratio")
    app = open_page("false_ratio", by="accuracy", models="mini/2-way")
    assert [warning.value for warning in app.warning] == ["Metric: there is no accuracy here; this is shown instead."]
    assert app.selectbox("by").value == "both"
    assert app.multiselect("models").value == ["mini/2-way"]
