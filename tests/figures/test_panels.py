from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import Figure, Panel, dot_figure
from lcl_lab.figures.formats import Format
from lcl_lab.figures.panels import groups
from lcl_lab.figures.theme import CONFIG, themed
from tests.figures.factories import CATEGORIES, METRICS, estimates


@pytest.fixture
def figure() -> Figure:
    return dot_figure(estimates("words", CATEGORIES), "words", "Any title")


def test_a_figure_has_the_panels_of_the_metric_and_those_without_one(figure: Figure) -> None:
    general = Panel(figure.panels[0].chart, title="both")
    both = Figure((*figure.panels, general))
    assert both.metrics == METRICS
    assert [panel.title for panel in both.for_metric("candidate").panels] == ["candidate", "both"]
    assert both.for_metric("candidate").metrics == ("candidate",)
    assert both.for_metric("candidate-raw").panels == (general,)


def test_a_panel_can_be_drawn_alone_with_its_data_and_legend(figure: Figure) -> None:
    spec = themed(figure.panels[1].view()).to_dict()
    assert spec["config"] == CONFIG | {"range": {"category": CONFIG["range"]["category"]}}
    (rows,) = spec["datasets"].values()
    assert {row["metric"] for row in rows} == {"open-ended"}
    legends = [layer["encoding"]["color"]["legend"]["title"] for layer in spec["layer"]]
    assert set(legends) == {"Model, with 95 % interval"}


def test_only_the_outermost_chart_has_a_configuration(figure: Figure) -> None:
    spec = figure.chart().to_dict()
    assert spec["config"] == CONFIG
    assert all("config" not in panel for panel in spec["hconcat"])
    assert "config" not in figure.panels[0].view().to_dict(context={"top_level": False})


def test_files_are_complete_and_atomic(figure: Figure, tmp_path: Path) -> None:
    paths = figure.save(tmp_path / "new", "figure")
    assert set(paths) == {"html", "png", "svg"}
    assert set((tmp_path / "new").iterdir()) == set(paths.values())
    assert paths["png"].read_bytes() == figure.render("png")
    assert json.loads(figure.render("json"))["config"]["axis"] == CONFIG["axis"]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        figure.save(tmp_path / "file", "figure")


def test_a_notebook_shows_a_chart_and_repr_is_one_line(figure: Figure) -> None:
    assert "<script" not in figure._repr_html_()
    assert figure._repr_html_().startswith("<svg")
    assert "\n" not in repr(figure) and len(repr(figure)) < 300


@pytest.mark.parametrize(
    ("column", "metrics", "expected"),
    [
        (None, METRICS, [("candidate", "candidate"), ("open-ended", "open-ended")]),
        (None, METRICS[:1], [("candidate", None)]),
        ("metric", METRICS[:1], [("candidate", "candidate")]),
        ("words", METRICS[:1], [("candidate", "x"), ("candidate", "y")]),
    ],
)
def test_rows_are_split_by_metric_and_column(
    column: str | None, metrics: tuple[str, ...], expected: list[tuple[str, str | None]]
) -> None:
    rows = estimates("words", ("x", "y"), metrics)
    parts = list(groups(rows, column))
    assert [(metric, title) for metric, title, _ in parts] == expected
    assert pd.concat([part for *_, part in parts]).sort_index().equals(rows)


def test_control_characters_in_data_and_titles_do_not_end_the_process() -> None:
    figure = dot_figure(estimates("words", CATEGORIES).assign(model="a\x1b[2J\x00b\u202e"), "words", "t\x07itle")
    formats: tuple[Format, ...] = ("svg", "png", "html", "pdf")
    for format in formats:
        assert figure.render(format)
    svg = figure.render("svg").decode()
    assert "a[2Jb" in svg
    assert "title" in svg
