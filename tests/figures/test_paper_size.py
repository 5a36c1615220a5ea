from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest

from lcl_lab.figures import Figure, dot_figure, heat_map_figure, line_figure, overview_figure
from lcl_lab.figures.paper_size import PAPER_WIDTHS, svg_to_pdf
from tests.figures.factories import CATEGORIES, MODELS, estimates

TITLE = "A title for the screen"
LETTER = 14  # pixels of the labels of axes in the theme
LONG = "a model with a name that is as long as names of checkpoints can be"


def lines() -> Figure:
    rows = estimates("shots", (0, 4, 8))
    return line_figure(rows, "shots", "Shots", TITLE, fixed=rows[(rows["model"] == MODELS[1]) & (rows["shots"] == 8)])


def dots() -> Figure:
    rows = estimates("words", CATEGORIES).replace({MODELS[0]: LONG})
    return dot_figure(rows, "words", TITLE, group_title=f"Model, with an interval that needs {'many words ' * 8}")


def overview() -> Figure:
    rows = estimates("measure", ("accuracy", "link score", "zero-shot change"), ("open-ended",))
    return overview_figure(rows, pd.DataFrame(columns=["measure", "method", "protocol", "value"]), TITLE)


def heat_map() -> Figure:
    return heat_map_figure(estimates("words", CATEGORIES), "words", "metric", TITLE, value_title="Share")


@cache
def drawn(make: Callable[[], Figure], inches: float) -> str:
    return make().render_for_paper(inches, "svg").decode()


@pytest.mark.parametrize(
    ("make", "inches"), [(lines, 3.3), (lines, 6.9), (dots, 3.3), (overview, 6.9), (heat_map, 3.3)]
)
def test_a_figure_is_exactly_as_wide_as_the_column_with_letters_of_its_text(
    make: Callable[[], Figure], inches: float
) -> None:
    svg = drawn(make, inches)
    assert f'width="{inches:g}in"' in svg
    pixels = float(re.findall(r'viewBox="0 0 ([\d.]+)', svg)[0])
    assert 6.5 <= LETTER * inches * 72 / pixels <= 9  # points
    assert TITLE not in svg
    (page,) = re.findall(rb"/MediaBox \[([^]]*)\]", svg_to_pdf(svg))
    assert float(page.split()[2]) == pytest.approx(inches * 72, abs=0.01)


def test_panels_go_below_one_another_where_they_do_not_fit() -> None:
    heights = {}
    for inches in PAPER_WIDTHS.values():
        svg = drawn(lines, inches)
        heights[inches] = float(re.findall(r'height="([\d.]+)in"', svg)[0])
    assert heights[3.3] > 1.3 * heights[6.9]


def test_the_title_can_be_kept_and_formats_are_complete() -> None:
    assert TITLE in heat_map().render_for_paper(3.3, "svg", titled=True).decode()
    assert heat_map().render_for_paper(3.3).startswith(b"%PDF")
