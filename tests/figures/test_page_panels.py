from __future__ import annotations

import json
import re
from typing import Any

import pytest
import vl_convert
from altair.utils import schemapi

from lcl_lab.figures import DARK, Figure, dot_figure, heat_map_figure, line_figure, panel_specs, radar_figure, recolored
from lcl_lab.figures.legends import arrange_legends
from tests.figures.factories import CATEGORIES, MODELS, estimates


def legends(spec: Any) -> list[dict[str, Any]]:
    """The legends that a specification shows."""
    if isinstance(spec, list):
        return [legend for part in spec for legend in legends(part)]
    if not isinstance(spec, dict):
        return []
    here = [spec["legend"]] if isinstance(spec.get("legend"), dict) and "field" in spec else []
    return here + [legend for name, part in spec.items() if name != "config" for legend in legends(part)]


@pytest.fixture
def shots() -> Figure:
    rows = estimates("shots", (0, 4, 8))
    return line_figure(rows, "shots", "Shots", "Any", fixed=rows[(rows["model"] == MODELS[1]) & (rows["shots"] == 8)])


def test_every_channel_has_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Altair looks up the class of a channel that is a text or a condition, which takes 5 ms each time."""

    def refuse(*_: object) -> None:
        raise AssertionError("a channel has no class")

    monkeypatch.setattr(schemapi._FromDict, "__init__", refuse)
    rows = estimates("shots", (0, 4, 8))
    line_figure(rows, "shots", "Shots", "Any", fixed=rows[(rows["model"] == MODELS[1]) & (rows["shots"] == 8)])
    dot_figure(estimates("category", CATEGORIES), "category", "Any", guide=0.5)
    radar_figure(estimates("category", CATEGORIES), "category", "Any")
    heat_map_figure(rows.rename(columns={"shots": "x"}).assign(y="y"), "x", "y", "Any")


def test_a_legend_is_shown_once_and_names_every_mark(shots: Figure) -> None:
    first, second = panel_specs(shots)
    titles = [" ".join(legend["title"] or []) for legend in legends(first)]
    assert set(titles) == {"Model, with 95 % interval; dotted: chance", "Trained for these shots only"}
    assert legends(second) == []
    svg = vl_convert.vegalite_to_svg({**first, "width": 400})
    assert ">Trained for these shots only<" in svg
    assert "#BBBBBB" in svg.upper()


def test_entries_of_a_legend_are_next_to_each_other_where_there_is_room() -> None:
    rows = estimates("words", CATEGORIES, ("candidate",)).assign(model=list("abcdefgh"))
    many = dot_figure(rows, "words", "Any")
    (panel,) = panel_specs(many)
    heights = []
    for width in (200, 900):
        svg = vl_convert.vegalite_to_svg({**panel, "width": width, "autosize": "pad"})
        heights.append(float(re.findall(r' height="([\d.]+)"', svg)[0]))
    assert heights[0] > heights[1] + 2 * 14  # rows of letters
    for width, columns in ((400, 4), (70, 1)):
        spec = many.chart().to_dict()
        arrange_legends(spec, width)
        assert {legend["columns"] for legend in legends(spec)} == {columns}


@pytest.mark.parametrize("width", [260, 460, 1100])
def test_a_radar_is_round_at_every_width(width: int) -> None:
    (spec,) = panel_specs(radar_figure(estimates("category", CATEGORIES, ("candidate",)), "category", "Any"))
    svg = vl_convert.vegalite_to_svg({**spec, "width": width, "autosize": "pad"})
    rings = re.findall(r'<path [^>]*d="(M[^"]+)" stroke="#DDDDDD"', svg)
    points = [tuple(map(float, point.split(","))) for point in re.findall(r"[-\d.]+,[-\d.]+", rings[-1])]
    across, down = (max(values) - min(values) for values in zip(*points, strict=True))
    assert across == pytest.approx(down, rel=0.01)  # four spokes: a square that stands on a corner
    assert across > 0.7 * min(width, spec["height"])


def test_dark_pages_have_other_colours_but_the_same_data(shots: Figure) -> None:
    spec = panel_specs(shots)[0]
    spec["datasets"] = {"a": [{"model": "white"}]}
    dark = recolored(spec)
    assert dark["datasets"] == spec["datasets"]
    text = json.dumps({name: value for name, value in dark.items() if name != "datasets"})
    assert not [colour for colour in DARK if f'"{colour}"' in text]


def test_numbers_in_a_heat_map_are_rounded_as_in_tables_and_none_is_minus_zero() -> None:
    rows = estimates("words", CATEGORIES, ("candidate",)).assign(estimate=[-0.001, 0.965, -0.125, 0.0] * 2)
    svg = heat_map_figure(rows, "words", "metric", "Any").render("svg").decode()
    assert set(re.findall(r">([+−-][\d.]+)<", svg)) >= {"+0.00", "+0.97", "−0.13"}
    assert not re.search(r">[−-]0\.00<", svg)


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("is_dark", [False, True])
def test_every_number_in_a_heat_map_can_be_read_on_its_cell(is_dark: bool) -> None:
    rows = estimates("words", CATEGORIES, ("candidate",)).assign(
        estimate=[-1.0, -0.78, -0.77, -0.34, 0.0, 0.32, 0.33, 0.83]
    )
    panels = panel_specs(heat_map_figure(rows.assign(model="m"), "estimate", "metric", "Any"))
    spec = recolored(panels[0]) if is_dark else panels[0]
    svg = vl_convert.vegalite_to_svg({**spec, "width": 600, "autosize": "pad"})
    cells = re.findall(r'aria-roledescription="rect mark"[^>]*fill="rgb\((\d+), (\d+), (\d+)\)"', svg)
    inks = re.findall(r'<text [^>]*fill="(#[0-9A-Fa-f]{6})"[^>]*>[+−]\d\.\d\d</text>', svg)[: len(cells)]
    assert len(cells) == len(inks) == 8
    for cell, ink in zip(cells, inks, strict=True):
        dim, bright = sorted((luminance("#" + "".join(f"{int(c):02x}" for c in cell)), luminance(ink)))
        assert (bright + 0.05) / (dim + 0.05) >= 4.5, (cell, ink)
