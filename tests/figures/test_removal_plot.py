from __future__ import annotations

import pandas as pd

from lcl_lab.figures import emergence_figure, removal_figure


def test_top_and_random_heads_are_two_lines_per_model() -> None:
    rows = pd.DataFrame(
        {
            "model": model,
            "part": part,
            "k": k,
            "estimate": 0.9 / (k + 1),
            "low": 0.1,
            "high": 0.95,
            "metric": "candidate",
        }
        for model in ("a", "b")
        for part in ("top heads removed", "random heads removed")
        for k in range(4)
    )
    figure = removal_figure(rows, "Without heads")
    assert [panel.title for panel in figure.panels] == ["a", "b"]
    assert figure.for_metric("open-ended").panels == ()
    drawn = figure.panels[0].chart.to_dict()
    assert drawn["layer"][1]["encoding"]["color"]["scale"]["domain"] == ["top heads removed", "random heads removed"]
    assert figure.render("svg").startswith(b"<svg")


def test_quantities_over_a_training_are_panels() -> None:
    rows = pd.DataFrame(
        {"steps": steps, "quantity": quantity, "head": head, "estimate": steps / 200, "low": 0.0, "high": 1.0}
        for steps in (100, 200)
        for quantity, heads in (("accuracy", ["all"]), ("induction score", ["0.1", "1.2"]))
        for head in heads
    )
    figure = emergence_figure(rows, "When heads appear", "candidate")
    assert [panel.title for panel in figure.panels] == ["Accuracy", "Induction score"]
    assert figure.render("png")[:4] == b"\x89PNG"
