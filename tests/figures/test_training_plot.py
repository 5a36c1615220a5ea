from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image

from lcl_lab.figures import training_figure, trials_figure

METRICS = pd.DataFrame(
    {"step": [25, 50, 50, 75], "loss": [3.0, 1.5, None, 0.4], "accuracy": [None, None, 0.6, None], "seconds": 1.0}
)


def test_loss_and_accuracy_are_drawn_and_rendered(tmp_path: Path) -> None:
    figure = training_figure(METRICS, "2-way")
    loss, accuracy = figure.chart().to_dict()["vconcat"]
    assert loss["layer"][0]["encoding"]["y"]["field"] == "loss"
    assert accuracy["layer"][0]["encoding"]["y"]["scale"]["domain"] == [0, 1]
    image = Image.open(figure.save(tmp_path, "training")["png"])
    assert image.width > 600
    assert len(image.convert("L").getcolors(maxcolors=256) or range(257)) > 10


def test_a_training_without_evaluation_shows_only_its_loss() -> None:
    assert len(training_figure(METRICS[["step", "loss"]], "vision").panels) == 1


def test_each_trial_has_a_line(tmp_path: Path) -> None:
    events = pd.concat([METRICS.assign(trial=name) for name in ("mix-seed-0", "mix-seed-1")])
    figure = trials_figure(events)
    assert len(figure.panels) == 2
    svg = figure.save(tmp_path, "trials")["svg"].read_text(encoding="utf-8")
    assert "mix-seed-0" in svg and "mix-seed-1" in svg
