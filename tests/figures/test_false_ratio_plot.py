from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.analysis import published_false_ratio
from lcl_lab.errors import UserError
from lcl_lab.figures import false_ratio_figure

METRICS = ("candidate", "open-ended")
RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)
FALLING, FLAT = (0.97, 0.85, 0.5, 0.15, 0.02), (0.5, 0.52, 0.5, 0.49, 0.51)


def estimates(models: dict[str, tuple[float, ...]]) -> pd.DataFrame:
    cells = [(m, k, r, e) for m, values in models.items() for k in METRICS for r, e in zip(RATIOS, values, strict=True)]
    frame = pd.DataFrame(cells, columns=["model", "metric", "false_ratio", "estimate"])
    return frame.assign(n=200, clusters=50, low=frame["estimate"] - 0.05, high=frame["estimate"] + 0.05)


MODELS = estimates({"mini/2-way": FALLING, "mini/base": FLAT})
REFERENCE = pd.DataFrame({"false_ratio": RATIOS, "accuracy": (0.98, 0.97, 0.5, 0.03, 0.02)})


def test_files_are_written_without_a_warning_and_need_no_network(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = false_ratio_figure(MODELS, published_false_ratio(), "Title", REFERENCE).save(tmp_path, "figure")
    assert paths["png"].read_bytes().startswith(b"\x89PNG")
    html = paths["html"].read_text(encoding="utf-8")
    assert "<script src=" not in html
    assert "vegaEmbed" in html
    assert set(tmp_path.iterdir()) == set(paths.values())


def test_models_published_points_and_references_are_named_in_the_figure(tmp_path: Path) -> None:
    figure = false_ratio_figure(MODELS, published_false_ratio(), "Any title", REFERENCE)
    svg = figure.save(tmp_path, "figure")["svg"].read_text(encoding="utf-8")
    for text in ("Any title", "mini/2-way", "mini/base", "OpenFlamingo", "nearest prototype", "chance", "candidate"):
        assert text in svg


def test_published_points_are_drawn_only_with_the_metric_that_they_were_measured_in() -> None:
    panels = false_ratio_figure(MODELS, published_false_ratio(), "Title").panels
    with_diamonds = [panel.metric for panel in panels if "diamond" in str(panel.chart.to_dict())]
    assert with_diamonds == ["open-ended"]


def test_the_same_estimates_give_the_same_figure() -> None:
    figures = [false_ratio_figure(MODELS, published_false_ratio(), "Title", REFERENCE) for _ in range(2)]
    one, two = (figure.chart().to_dict()["datasets"] for figure in figures)
    assert one == two


def test_nothing_to_draw_and_too_many_models_are_errors() -> None:
    with pytest.raises(UserError, match="no estimates"):
        false_ratio_figure(MODELS.iloc[:0], published_false_ratio(), "Title")
    with pytest.raises(UserError, match="9 models"):
        false_ratio_figure(estimates({f"m{k}": FLAT for k in range(9)}), published_false_ratio(), "Title")
