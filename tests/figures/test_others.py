"""The figures of the other studies: what they must show is in their SVG, and their PNG is not empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lcl_lab.analysis import published
from lcl_lab.errors import UserError
from lcl_lab.figures import curves_chart, dots_chart, overview_chart, position_chart, radar_chart, save

MODELS, KINDS = ("mini/2-way", "mini/base"), ("real", "invented", "symbol", "swapped-real")


def frame(column: str, values: tuple[object, ...]) -> pd.DataFrame:
    cells = [(model, metric, value) for model in MODELS for metric in ("candidate", "open-ended") for value in values]
    rows = pd.DataFrame(cells, columns=["model", "metric", column])
    estimate = np.linspace(0.2, 0.9, len(rows))
    return rows.assign(estimate=estimate, low=estimate - 0.1, high=estimate + 0.05, n=200, clusters=50)


def drawn(chart: object, folder: Path) -> str:
    """The SVG's text; the PNG has ink of several colours."""
    paths = save(chart, folder, "figure")  # type: ignore[arg-type]
    colours = Image.open(paths["png"]).convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 20
    return paths["svg"].read_text(encoding="utf-8")


def test_curves_have_published_ones_in_a_panel_of_their_own(tmp_path: Path) -> None:
    rows = frame("shots", (0, 4, 8))
    printed = published(table="Table 2", method="LCL [mix]").rename(columns={"value": "accuracy"})
    fixed = rows[(rows["model"] == "mini/base") & (rows["shots"] == 8)]
    chart = curves_chart(rows, "shots", "Shots", "Any title", printed, "Table 2", fixed)
    panels = chart.to_dict()["hconcat"]
    assert [panel["title"]["text"] for panel in panels] == ["candidate", "open-ended", "published, other data"]
    assert ["diamond" in str(panel) for panel in panels] == [False, False, True]
    assert ["'rect'" in str(panel) for panel in panels] == [True, True, False]
    svg = drawn(chart, tmp_path)
    for text in ("Any title", "mini/2-way", "LCL [mix]", "Table 2: published, other data"):
        assert text in svg


def test_dots_stand_in_the_order_of_the_rows(tmp_path: Path) -> None:
    chart = dots_chart(frame("words", KINDS), "words", "Any title", guide=0.5, panel="metric")
    svg = drawn(chart, tmp_path)
    places = [svg.index(f">{kind}<") for kind in KINDS]
    assert places == sorted(places)


def test_a_radar_names_every_category_and_closes_its_lines(tmp_path: Path) -> None:
    rows = frame("category", KINDS)
    chart = radar_chart(rows[rows["metric"] == "candidate"], "category", "Any title")
    svg = drawn(chart, tmp_path)
    assert all(f">{kind}<" in svg for kind in KINDS)
    lines = [data for data in chart.to_dict()["datasets"].values() if "model" in data[0]]
    points = [[(p["x"], p["y"]) for p in lines[0] if p["model"] == model] for model in MODELS]
    assert all(own[0] == own[-1] and len(own) == len(KINDS) + 1 for own in points)


def test_places_have_a_panel_a_model_and_a_colour_a_design(tmp_path: Path) -> None:
    cells = [(m, d, p) for m in MODELS for d in ("one at a time", "factorial") for p in range(1, 17)]
    rows = pd.DataFrame(cells, columns=["model", "design", "position"])
    rows = rows.assign(drop=0.02, low=-0.01, high=0.05)
    svg = drawn(position_chart(rows, "Any title"), tmp_path)
    for text in ("mini/2-way", "mini/base", "factorial", "hold for all places at once"):
        assert text in svg


def test_nothing_to_draw_is_told() -> None:
    empty = frame("words", KINDS).iloc[:0]
    for chart in (
        lambda: curves_chart(empty, "words", "", ""),
        lambda: dots_chart(empty, "words", ""),
        lambda: radar_chart(empty, "words", ""),
    ):
        with pytest.raises(UserError, match="no estimates"):
            chart()


def test_an_overview_keeps_the_paper_s_numbers_apart_from_ours(tmp_path: Path) -> None:
    rows = frame("measure", ("accuracy", "zero-shot change"))
    printed = pd.DataFrame([("accuracy", "Otter", "ISEKAI-10", 0.07)], columns=["measure", "method", "data", "value"])
    chart = overview_chart(rows, printed, "Any title")
    accuracy, change = chart.to_dict()["hconcat"]
    assert "diamond" in str(accuracy) and "diamond" not in str(change)
    assert "[-1, 1]" in str(change) and "[-1, 1]" not in str(accuracy)
    svg = drawn(chart, tmp_path)
    for text in ("mini/base", "Otter, ISEKAI-10", "published, other data"):
        assert text in svg
    with pytest.raises(ValueError, match="no estimates"):
        overview_chart(rows.head(0), printed, "Any title")
