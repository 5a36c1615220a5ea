from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.errors import UserError
from lcl_lab.figures import power_figure


def curves() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"design": f"{each} queries per pair", "difference": difference, "pairs": pairs,
             "estimate": 0.5, "low": 0.4, "high": 0.6}
            for each in (2, 4) for difference in ("0.05", "0.1") for pairs in (8, 16, 32)
        ]
    )  # fmt: skip


def test_each_design_has_a_panel_with_the_power_to_reach_as_a_line() -> None:
    figure = power_figure(curves(), 0.8, "Power")
    assert [panel.title for panel in figure.panels] == ["2 queries per pair", "4 queries per pair"]
    for panel in figure.panels:
        spec = panel.chart.to_dict()
        rows = [row for data in spec["datasets"].values() for row in data]
        assert [row["rule"] for row in rows if "rule" in row] == [0.8]
        assert {row["design"] for row in rows if "design" in row} == {panel.title}
        scale = spec["layer"][-1]["encoding"]["x"]["scale"]
        assert (scale["type"], scale["domain"]) == ("log", [8, 32])


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("json", b"{")])
def test_a_figure_is_written_in_the_format_of_its_suffix(suffix: str, start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "new" / f"power.{suffix}"
    power_figure(curves(), 0.8, "Power").write(path)
    assert path.read_bytes().startswith(start)


def test_a_suffix_that_is_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"must end with one of .html, .png, .svg, .pdf, .json"):
        power_figure(curves(), 0.8, "Power").write(tmp_path / "power.gif")
    assert not list(tmp_path.iterdir())
