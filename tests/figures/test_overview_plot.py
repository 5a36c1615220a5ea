from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import overview_figure
from tests.figures.factories import estimates, save_and_read

MEASURES = ("accuracy", "zero-shot change")
PRINTED = pd.DataFrame(
    [("accuracy", "Otter", "ISEKAI-10, 16 shots", 0.07)], columns=["measure", "method", "protocol", "value"]
)


def test_published_numbers_look_different_from_measured_ones(tmp_path: Path) -> None:
    figure = overview_figure(estimates("measure", MEASURES, ("open-ended",)), PRINTED, "Any title")
    accuracy, change = figure.chart().to_dict()["hconcat"]
    assert "diamond" in str(accuracy) and "diamond" not in str(change)
    assert "[-1.0, 1.0]" in str(change) and "[-1.0, 1.0]" not in str(accuracy)
    svg = save_and_read(figure, tmp_path)
    for text in ("mini/base", "Otter", "ISEKAI-10, 16 shots", "published, other data"):
        assert text in svg


def test_published_numbers_are_not_drawn_for_other_metrics() -> None:
    figure = overview_figure(estimates("measure", MEASURES), PRINTED, "Any title")
    drawn = {panel.title: "diamond" in str(panel.chart.to_dict()) for panel in figure.panels}
    assert drawn == {
        "accuracy, candidate": False,
        "accuracy, open-ended": True,
        "zero-shot change, candidate": False,
        "zero-shot change, open-ended": False,
    }
    unknown = overview_figure(estimates("measure", MEASURES).drop(columns="metric"), PRINTED, "Any title")
    assert "diamond" in str(unknown.chart().to_dict())


def test_chance_is_a_line_where_there_is_one(tmp_path: Path) -> None:
    rows = estimates("measure", MEASURES)
    rows["chance"] = [0.25 if metric == "candidate" else None for metric in rows["metric"]]
    lines = {panel.title: '"chance": 0.25' in panel.chart.to_json() for panel in
             overview_figure(rows, PRINTED, "Any title").panels}  # fmt: skip
    assert {title: "candidate" in str(title) for title in lines} == lines


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="no estimates"):
        overview_figure(estimates("measure", ()), PRINTED, "Any title")
