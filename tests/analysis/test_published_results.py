from __future__ import annotations

import pytest

from lcl_lab.analysis import published, published_false_ratio
from lcl_lab.errors import UserError


def test_figure_7_has_the_printed_points() -> None:
    points = {(row.method, row.false_ratio): row.accuracy for row in published_false_ratio().itertuples()}
    assert {accuracy for (method, ratio), accuracy in points.items() if "LCL" in method and ratio == 0} == {0.78}
    assert {accuracy for (method, ratio), accuracy in points.items() if "LCL" in method and ratio == 1} == {0.0}
    assert points["OpenFlamingo", 1.0] == 0.38


def test_every_published_value_is_between_0_and_1() -> None:
    values = published()["value"]
    assert len(values) > 100
    assert values.between(0, 1).all()


def test_rows_are_selected_by_their_values() -> None:
    rows = published(table="Table 1", dataset="ISEKAI-10", method="OpenFlamingo")
    assert dict(zip(rows["shots"], rows["value"], strict=True))[2] == 0.46


def test_an_unknown_method_is_reported_with_the_closest_one() -> None:
    with pytest.raises(UserError, match="did you mean 'OpenFlamingo'"):
        published(method="OpenFlamingos")
