from __future__ import annotations

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import ranked_figure

ROWS = pd.DataFrame(
    {
        "condition": ["a", "a", "b"],
        "side": ["B", "C", "C"],
        "estimate": [0.1, 0.2, -0.3],
        "low": [0.0, 0.1, -0.5],
        "high": [0.2, 0.3, 0.0],
    }
)
OPTIONS = {"x_title": "Difference", "group": "side", "names": ["A", "B", "C"]}


def test_a_group_keeps_its_colour_without_the_others() -> None:
    (panel,) = ranked_figure(ROWS, "condition", "", group_title="Side", guide=0.0, **OPTIONS).panels
    guide, bars, points = panel.chart.to_dict()["layer"]
    assert guide["mark"]["type"] == bars["mark"]["type"] == "rule"
    assert points["encoding"]["color"]["scale"]["domain"] == ["A", "B", "C"]
    assert points["encoding"]["yOffset"]["scale"]["domain"] == ["B", "C"]
    assert points["encoding"]["y"]["sort"] == ["a", "b"]


def test_rows_of_two_figures_are_level_and_one_legend_serves_both() -> None:
    heights = []
    for rows in (ROWS, ROWS[ROWS["side"] == "C"]):
        figure = ranked_figure(rows, "condition", "", group_title=None, lines=["A", "B", "C"], **OPTIONS)
        heights.append(figure.panels[0].chart.to_dict()["height"])
        assert figure.panels[0].chart.to_dict()["layer"][1]["encoding"]["color"]["legend"] is None
    assert heights[0] == heights[1]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(UserError, match="no estimates"):
        ranked_figure(ROWS.head(0), "condition", "", group_title="Side", **OPTIONS)
