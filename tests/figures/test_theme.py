from __future__ import annotations

import subprocess
import sys

import altair as alt
import pandas as pd

from lcl_lab.figures import dot_figure, themed
from lcl_lab.figures.theme import CONFIG
from tests.figures.factories import CATEGORIES, estimates

UNCHANGED = """
import altair as alt
before = alt.theme.active, alt.theme.get()(), alt.theme.names()
import lcl_lab.figures
from lcl_lab.figures import *
assert (alt.theme.active, alt.theme.get()(), alt.theme.names()) == before
"""
CHEAP = """
import sys
import lcl_lab.figures
loaded = {"altair", "pandas", "numpy"} & set(sys.modules)
assert not loaded, loaded
"""


def test_importing_the_package_leaves_the_theme_unchanged() -> None:
    subprocess.run([sys.executable, "-c", UNCHANGED], check=True)


def test_importing_the_package_loads_nothing_slow() -> None:
    subprocess.run([sys.executable, "-c", CHEAP], check=True)


def test_drawing_leaves_the_users_theme_unchanged_and_does_not_need_it() -> None:
    with alt.theme.enable("dark"):
        dark = alt.theme.get()()  # type: ignore[misc]
        spec = dot_figure(estimates("words", CATEGORIES), "words", "Any title").chart().to_dict()
        assert alt.theme.active == "dark"
        assert alt.theme.get()() == dark  # type: ignore[misc]
    assert {name: spec["config"][name] for name in ("background", "font", "padding")} == {
        name: CONFIG[name] for name in ("background", "font", "padding")
    }
    for part in ("axis", "legend", "title"):
        assert spec["config"][part].items() >= CONFIG[part].items()
    mine = alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q").to_dict()
    assert mine["config"].get("font") != CONFIG["font"]


def test_a_themed_chart_is_a_copy() -> None:
    chart = alt.Chart(pd.DataFrame({"x": [1]})).mark_point()
    assert themed(chart).to_dict()["config"]["font"] == CONFIG["font"]
    assert "font" not in chart.to_dict()["config"]
