from __future__ import annotations

import pandas as pd
import pytest

from lcl_lab.analysis import SearchedOption
from lcl_lab.errors import UserError
from lcl_lab.figures import parallel_figure, slice_figure

OPTIONS = (
    SearchedOption("learning_rate", "real", (1e-5, 1e-3), is_logarithmic=True),
    SearchedOption("lora", "list", (4, 8, 16)),
    SearchedOption("shots.queries", "integer", (2, 10)),
)
TRIALS = pd.DataFrame(
    {
        "trial": ["a", "b"],
        "value": [0.5, 0.75],
        "learning_rate": [1e-4, 1e-3],
        "lora": [16, 4],
        "shots.queries": [2, 10],
    }
)


def test_parallel_axes_have_names_units_ticks_and_logarithmic_positions() -> None:
    figure = parallel_figure(TRIALS, OPTIONS, "held-out accuracy", "Search")
    _, lines, _, _, labels = figure.panels[0].chart.layer
    rows = lines.data
    assert rows["axis"].drop_duplicates().tolist() == [
        "learning_rate\n(peak, log scale)",
        "lora\n(rank)",
        "shots.queries\n(per condition)",
        "held-out accuracy",
    ]
    assert rows.loc[rows["trial"] == "a", "position"].tolist() == pytest.approx([0.5, 1.0, 0.0, 0.0])
    assert rows.loc[rows["trial"] == "b", "position"].tolist() == pytest.approx([1.0, 0.0, 1.0, 1.0])
    ticks = labels.data[labels.data["axis"].str.startswith("learning_rate")]
    assert ticks["label"].tolist() == ["1e-05", "0.0001", "0.001"]
    assert figure.render("svg").startswith(b"<svg")


def test_slices_have_logarithmic_axes_where_the_range_has() -> None:
    figure = slice_figure(TRIALS, OPTIONS, "held-out accuracy")
    axes = [panel.chart.layer[0].encoding.x.to_dict() for panel in figure.panels]
    assert [axis["title"] for axis in axes] == [
        "learning_rate (peak, log scale)",
        "lora (rank)",
        "shots.queries (per condition)",
    ]
    assert axes[0]["scale"]["type"] == "log"
    assert axes[1]["sort"] == ["4", "8", "16"]
    assert axes[2]["scale"]["domain"] == [2, 10]
    assert figure.render("svg").startswith(b"<svg")


@pytest.mark.parametrize("draw", [parallel_figure, slice_figure])
def test_one_trial_is_drawn_and_none_is_an_error(draw: object) -> None:
    assert draw(TRIALS.head(1), OPTIONS, "link score").render("svg").startswith(b"<svg")  # type: ignore[operator]
    with pytest.raises(UserError, match="no trials with a value"):
        draw(TRIALS.head(0), OPTIONS, "link score")  # type: ignore[operator]
