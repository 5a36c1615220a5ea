from __future__ import annotations

from pathlib import Path

import pandas as pd
from PIL import Image

from lcl_lab.figures import save, training_chart, trials_chart

METRICS = pd.DataFrame(
    {"step": [25, 50, 50, 75], "loss": [3.0, 1.5, None, 0.4], "accuracy": [None, None, 0.6, None], "seconds": 1.0}
)


def test_loss_and_accuracy_are_drawn_and_rendered(tmp_path: Path) -> None:
    chart = training_chart(METRICS, "2-way")
    loss, accuracy = chart.to_dict()["vconcat"]
    assert loss["layer"][0]["encoding"]["y"]["field"] == "loss"
    assert accuracy["layer"][0]["encoding"]["y"]["scale"]["domain"] == [0, 1]
    image = Image.open(save(chart, tmp_path, "training")["png"])
    assert image.width > 600
    assert len(image.convert("L").getcolors(maxcolors=256) or range(257)) > 10


def test_a_training_without_evaluation_has_its_loss_alone() -> None:
    assert len(training_chart(METRICS[["step", "loss"]], "vision").to_dict()["vconcat"]) == 1


def test_many_trainings_are_told_apart(tmp_path: Path) -> None:
    events = pd.concat([METRICS.assign(trial=name) for name in ("mix-seed-0", "mix-seed-1")])
    chart = trials_chart(events)
    assert len(chart.to_dict()["vconcat"]) == 2
    svg = save(chart, tmp_path, "trials")["svg"].read_text(encoding="utf-8")
    assert "mix-seed-0" in svg and "mix-seed-1" in svg
