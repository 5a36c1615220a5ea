from __future__ import annotations

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import histogram_figure

BINS = pd.DataFrame(
    {"side": "A", "low": [0.0, 1.0], "high": [1.0, 2.0], "middle": [0.5, 1.5], "share": [1.0, 0.0], "n": [7, 0]}
)


def test_steps_have_a_point_where_there_are_answers() -> None:
    figure = histogram_figure(
        BINS, "", x_title="Margin", group="side", group_title="Side", names=["A"], guide=0.0, metric="candidate"
    )
    assert figure.metrics == ("candidate",)
    _, steps, points = figure.panels[0].chart.layer
    assert steps.to_dict()["mark"]["interpolate"] == "step"
    assert points.data["n"].tolist() == [7]


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(UserError, match="no values"):
        histogram_figure(BINS.head(0), "", x_title="", group="side", group_title="", names=["A"])
