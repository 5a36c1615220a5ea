"""Estimates to draw, and a check that a figure is not empty."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from lcl_lab.figures import Figure

MODELS = ("mini/2-way", "mini/base")
CATEGORIES = ("real", "invented", "symbol", "swapped-real")
METRICS = ("candidate", "open-ended")


def estimates(column: str, values: tuple[object, ...], metrics: tuple[str, ...] = METRICS) -> pd.DataFrame:
    cells = [(model, metric, value) for model in MODELS for metric in metrics for value in values]
    rows = pd.DataFrame(cells, columns=["model", "metric", column])
    estimate = np.linspace(0.2, 0.9, len(rows))
    return rows.assign(estimate=estimate, low=estimate - 0.1, high=estimate + 0.05, n=200, clusters=50)


def save_and_read(figure: Figure, folder: Path) -> str:
    """The text of the saved SVG, after a check that the PNG shows several colours."""
    paths = figure.save(folder, "figure")
    colours = Image.open(paths["png"]).convert("RGB").getcolors(1 << 24)
    assert colours is not None
    assert len(colours) > 20
    return paths["svg"].read_text(encoding="utf-8")
