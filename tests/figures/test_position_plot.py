from __future__ import annotations

from pathlib import Path

import pandas as pd

from lcl_lab.figures import position_figure
from tests.figures.factories import METRICS, MODELS, save_and_read

CELLS = [(m, d, p) for m in MODELS for d in ("one at a time", "factorial") for p in range(1, 17)]
DROPS = pd.DataFrame(CELLS, columns=["model", "design", "position"]).assign(drop=0.02, low=-0.01, high=0.05)


def test_models_have_panels_and_designs_have_colours(tmp_path: Path) -> None:
    figure = position_figure(DROPS, "Any title")
    assert [(panel.metric, panel.title) for panel in figure.panels] == [(None, model) for model in MODELS]
    svg = save_and_read(figure, tmp_path)
    for text in ("mini/2-way", "mini/base", "factorial", "simultaneous 95 % intervals"):
        assert text in svg


def test_models_have_a_panel_for_each_metric() -> None:
    figure = position_figure(pd.concat([DROPS.assign(metric=metric) for metric in METRICS]), "Any title")
    assert len(figure.panels) == 4
    assert [panel.title for panel in figure.for_metric("candidate").panels] == [f"{m}, candidate" for m in MODELS]
