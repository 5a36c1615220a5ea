from __future__ import annotations

import json
from pathlib import Path

from lcl_lab.analysis import MAIN_METRICS
from lcl_lab.dashboard import MEASURES, ZERO_SHOT_CHANGE, DashboardConfig, overview_findings
from lcl_lab.dashboard.run_index import read_index
from tests.dashboard.factories import SHIPPED, chart_specs, charted_metrics, copy_shipped, open_page, statements, tables


def test_each_metric_has_its_measures_alone(results: Path) -> None:
    copy_shipped(results, "false_ratio", "zero_shot")
    measured = {}
    for metric in MAIN_METRICS:
        app = open_page("", by=metric)
        assert not app.exception
        measured[metric] = tables(app)[0]
        assert set(measured[metric]["metric"]) == {metric}
        assert {metric for metric, _ in statements(app)} <= {"", metric}
        assert charted_metrics(app) == {metric}
    # Answers of the zero-shot study have no candidates.
    assert ZERO_SHOT_CHANGE in measured["open-ended"]
    assert ZERO_SHOT_CHANGE not in measured["candidate"]
    assert not measured["open-ended"]["link score"].equals(measured["candidate"]["link score"])


def test_the_paper_s_metric_is_shown_first(results: Path) -> None:
    app = open_page()
    assert app.selectbox("by").options == ["open-ended", "candidate"]
    assert len(chart_specs(app)) == len(MEASURES)


def test_no_name_in_a_table_is_cut(results: Path) -> None:
    app = open_page()
    for element in app.dataframe:
        columns = json.loads(element.proto.columns)
        for name, values in element.value.items():
            if values.dtype == object:
                longest = max(map(len, [str(name), *map(str, values)]))
                assert columns[name]["width"] >= min(7 * longest, 500), name


def test_findings_are_typed() -> None:
    index = read_index(DashboardConfig(results=SHIPPED))
    group, other = index.groups_of("false_ratio")[0], index.groups_of("zero_shot")[0]
    findings = overview_findings(group.select(["mini/2-way"], [0]), other.select(other.models, [0]))
    assert findings.metrics == list(MAIN_METRICS)
    frame = findings.sections[0].tables[0].frame
    row = frame[(frame["measure"] == "link score") & (frame["metric"] == "candidate")].iloc[0]
    assert row["model"] == "mini/2-way"
    assert row["n"] == 200
    assert 0.8 < row["low"] <= row["estimate"] <= row["high"] <= 1
