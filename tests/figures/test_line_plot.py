from __future__ import annotations

from pathlib import Path

import pytest

from lcl_lab.analysis import published
from lcl_lab.errors import UserError
from lcl_lab.figures import Figure, line_figure
from tests.figures.factories import estimates, save_and_read


@pytest.fixture
def figure() -> Figure:
    rows = estimates("shots", (0, 4, 8))
    printed = published(table="Table 2", method="LCL [mix]").rename(columns={"value": "accuracy"})
    fixed = rows[(rows["model"] == "mini/base") & (rows["shots"] == 8)]
    return line_figure(rows, "shots", "Shots", "Any title", printed, "Table 2", fixed)


def test_published_numbers_have_a_separate_panel(figure: Figure, tmp_path: Path) -> None:
    assert [panel.title for panel in figure.panels] == ["candidate", "open-ended", "published, other data"]
    panels = figure.chart().to_dict()["hconcat"]
    assert ["diamond" in str(panel) for panel in panels] == [False, False, True]
    assert ["'rect'" in str(panel) for panel in panels] == [True, True, False]
    svg = save_and_read(figure, tmp_path)
    for text in ("Any title", "mini/2-way", "LCL [mix]", "Table 2: published, other data"):
        assert text in svg


def test_published_numbers_belong_to_their_metric_but_do_not_add_it(figure: Figure) -> None:
    assert [panel.title for panel in figure.for_metric("candidate").panels] == ["candidate"]
    assert len(figure.for_metric("open-ended").panels) == 2
    rows = estimates("shots", (0, 4), ("candidate",))
    printed = published(table="Table 2").rename(columns={"value": "accuracy"})
    assert line_figure(rows, "shots", "", "", printed, "Table 2").metrics == ("candidate",)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="no estimates"):
        line_figure(estimates("shots", ()), "shots", "", "")
