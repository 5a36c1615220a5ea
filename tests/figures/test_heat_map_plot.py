from __future__ import annotations

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import heat_map_figure


def rows(heads: int) -> pd.DataFrame:
    return pd.DataFrame(
        {"model": model, "layer": layer, "number": number, "estimate": layer - number / heads}
        for model in ("a", "b")
        for layer in range(2)
        for number in range(heads)
    )


def draw(frame: pd.DataFrame) -> dict[str, object]:
    figure = heat_map_figure(frame, "number", "layer", "Heads", value_title="Loss", metric="candidate")
    assert figure.metrics == ("candidate",)
    assert [panel.title for panel in figure.panels] == ["a", "b"]
    assert figure.render("png")[:4] == b"\x89PNG"
    specification: dict[str, object] = figure.panels[0].chart.to_dict()
    return specification


def test_cells_of_small_models_have_their_numbers_and_a_scale_around_zero() -> None:
    colour, text = draw(rows(4))["layer"]  # type: ignore[misc]
    assert colour["encoding"]["color"]["scale"]["domain"] == [-1, -0.5, 0, 0.5, 1]
    assert text["encoding"]["text"]["format"] == "+.2f"


def test_nothing_is_white() -> None:
    frame = pd.DataFrame({"model": "a", "number": range(3), "layer": 0, "estimate": [-1.0, 0.0, 1e-9]})
    svg = heat_map_figure(frame, "number", "layer", "Heads").render("svg").decode()
    assert svg.count('fill="rgb(255, 255, 255)"') == 2


def test_cells_of_large_models_have_none() -> None:
    assert len(draw(rows(32))["layer"]) == 1  # type: ignore[arg-type]


def test_shares_begin_at_white_and_axes_have_all_names() -> None:
    names = pd.Categorical(["wug", "dax"], ["wug", "blicket", "dax"])
    frame = pd.DataFrame({"model": "a", "chosen": names, "true_name": names, "estimate": [0.5, 0.25]})
    figure = heat_map_figure(frame, "chosen", "true_name", "Names", signed=False, clickable=True, most_with_numbers=2)
    (colour,) = figure.panels[0].chart.to_dict()["layer"]
    assert colour["mark"] == {"type": "rect", "cursor": "pointer"}
    scale = colour["encoding"]["color"]["scale"]
    assert (scale["domain"], scale["range"]) == ([0, 0.25, 0.5], ["white", "#FD8D3C", "#A63603"])
    assert colour["encoding"]["x"]["scale"]["domain"] == colour["encoding"]["x"]["sort"] == ["wug", "blicket", "dax"]


def test_nothing_to_draw_is_one_line() -> None:
    with pytest.raises(UserError, match="no numbers"):
        heat_map_figure(rows(4).iloc[:0], "number", "layer", "Heads")
