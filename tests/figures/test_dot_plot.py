from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import dot_figure
from tests.figures.factories import CATEGORIES, estimates, save_and_read


def test_categories_are_in_the_order_of_the_rows(tmp_path: Path) -> None:
    figure = dot_figure(estimates("words", CATEGORIES), "words", "Any title", guide=0.5)
    svg = save_and_read(figure, tmp_path)
    starts = [svg.index(f">{category}<") for category in CATEGORIES]
    assert starts == sorted(starts)


def test_several_metrics_always_have_separate_panels() -> None:
    rows = estimates("words", CATEGORIES)
    figure = dot_figure(rows, "words", "Any title")
    assert figure.metrics == ("candidate", "open-ended")
    assert [panel.title for panel in figure.panels] == ["candidate", "open-ended"]
    one = dot_figure(rows[rows["metric"] == "candidate"], "words", "Any title")
    assert [(panel.metric, panel.title) for panel in one.panels] == [("candidate", None)]


def test_panels_of_another_column_carry_the_metric_of_their_rows() -> None:
    rows = estimates("words", CATEGORIES)
    outcome = rows["metric"].map({"candidate": "log-odds", "open-ended": "correct"})
    figure = dot_figure(rows.assign(outcome=outcome), "words", "", panel="outcome")
    assert [panel.metric for panel in figure.panels] == ["candidate", "open-ended"]
    assert [panel.title for panel in figure.panels] == ["log-odds, candidate", "correct, open-ended"]
    unknown = dot_figure(rows.drop(columns="metric").assign(outcome=outcome), "words", "", panel="outcome")
    assert [(panel.metric, panel.title) for panel in unknown.panels] == [(None, "log-odds"), (None, "correct")]


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="no estimates"):
        dot_figure(estimates("words", ()), "words", "")
