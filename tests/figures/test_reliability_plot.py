from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import calibration
from lcl_lab.errors import UserError
from lcl_lab.figures import reliability_figure
from tests.figures.factories import save_and_read


def test_every_bin_of_every_model_is_a_point_over_its_confidence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    result = calibration(rng.uniform(0.2, 1, 200), np.arange(200) // 4, rng)
    bins = pd.concat([result.bins.assign(model=name, metric="candidate") for name in ("a", "b")])
    figure = reliability_figure(bins, "Any title")
    assert figure.metrics == ("candidate",)
    points = figure.panels[0].chart.to_dict()["layer"][-1]
    assert points["mark"]["type"] == "point"
    assert points["encoding"]["x"]["field"] == "confidence"
    svg = save_and_read(figure, tmp_path)
    assert "Confidence in the more likely name" in svg
    assert len(result.bins) == 10


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UserError, match="no estimates"):
        reliability_figure(pd.DataFrame(columns=["model", "confidence", "estimate", "low", "high"]), "")
