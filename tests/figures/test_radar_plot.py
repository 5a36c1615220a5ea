from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import radar_figure
from tests.figures.factories import CATEGORIES, MODELS, estimates, save_and_read


def test_every_category_is_named_and_lines_are_closed(tmp_path: Path) -> None:
    figure = radar_figure(estimates("category", CATEGORIES, ("candidate",)), "category", "Any title")
    svg = save_and_read(figure, tmp_path)
    assert all(f">{category}<" in svg for category in CATEGORIES)
    lines = [data for data in figure.chart().to_dict()["datasets"].values() if "model" in data[0]]
    points = [[(p["x"], p["y"]) for p in lines[0] if p["model"] == model] for model in MODELS]
    assert all(line[0] == line[-1] and len(line) == len(CATEGORIES) + 1 for line in points)


def test_each_metric_has_its_panel_with_only_its_estimates() -> None:
    rows = estimates("category", CATEGORIES)
    figure = radar_figure(rows, "category", "Any title")
    assert figure.metrics == ("candidate", "open-ended")
    alone = radar_figure(rows[rows["metric"] == "open-ended"], "category", "Any title")
    of_metric, single = (f.for_metric("open-ended").chart().to_dict()["datasets"] for f in (figure, alone))
    assert of_metric == single


def test_lines_go_around_the_spokes_whatever_the_order_of_the_rows() -> None:
    rows = estimates("category", CATEGORIES)
    last = rows["metric"] == "open-ended"
    shuffled = pd.concat([rows[~last], rows[last][::-1]])
    charts = (
        radar_figure(frame, "category", "").for_metric("open-ended").chart().to_dict() for frame in (rows, shuffled)
    )
    straight, reverse = (next(data for data in chart["datasets"].values() if "model" in data[0]) for chart in charts)
    assert sorted(map(str, straight)) == sorted(map(str, reverse))


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="no estimates"):
        radar_figure(estimates("category", ()), "category", "")
