"""Power curves agree with the sample sizes that are planned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.commands import power_program
from lcl_lab.errors import UserError
from lcl_lab.studies import power_curves, required_sample_size


def test_the_curve_reaches_the_power_where_the_sample_size_is() -> None:
    options = {"difference": 0.15, "changed": 0.35}
    curves = power_curves(**options)
    assert sorted(curves.points["difference"].unique()) == ["0.075", "0.15", "0.3"]
    _, sizes = required_sample_size(**options)
    for size in sizes:
        curve = curves.points.query("difference == '0.15' and queries_per_pair == @size.queries_per_pair")
        assert size.pairs is not None
        at_size = np.interp(np.log(size.pairs), np.log(curve["pairs"]), curve["estimate"])
        assert at_size == pytest.approx(0.8, abs=0.08)
    assert (curves.points["low"] <= curves.points["estimate"]).all()
    assert (curves.points["estimate"] <= curves.points["high"]).all()


def test_larger_differences_and_more_queries_have_more_power() -> None:
    points = power_curves(difference=0.15, changed=0.35).points
    wide = points.pivot(index=["queries_per_pair", "pairs"], columns="difference", values="estimate")
    for small, large in (("0.075", "0.15"), ("0.15", "0.3")):
        both = wide[[small, large]].dropna()
        assert (both[large] >= both[small] - 0.02).all()
    few, many = (
        points.query(f"queries_per_pair == {each} and pairs == 32 and difference == '0.15'") for each in (1, 8)
    )
    assert many["estimate"].item() > few["estimate"].item() + 0.2


def test_a_difference_larger_than_what_changes_is_not_drawn() -> None:
    assert set(power_curves(difference=0.15, changed=0.2).points["difference"]) == {"0.075", "0.15"}
    with pytest.raises(UserError, match="needs more changed queries"):
        power_curves(difference=0.3, changed=0.2)


def test_strategies_have_a_panel_per_number_of_trainings() -> None:
    curves = power_curves(difference=0.1, seed_deviation=0.02, trainings=(2, 5))
    assert [panel.title for panel in curves.figure.panels] == ["2 trainings per strategy", "5 trainings per strategy"]
    most = curves.points[curves.points["pairs"] == 64].set_index(["trainings", "difference"])["estimate"]
    assert most[5, "0.1"] > most[2, "0.1"]
    assert "deviation between trainings 0.02" in curves.title


def test_the_command_writes_the_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "power.svg"
    power_program()(["--difference", "0.2", "--changed", "0.4", "--figure", str(path)])
    assert capsys.readouterr().out.strip().splitlines()[-1] == str(path)
    text = path.read_text(encoding="utf-8")
    assert "Concept pairs" in text
    assert "8 queries per pair" in text
    with pytest.raises(UserError, match=r"figure x.gif: must end with .html, .png"):
        power_program()(["--difference", "0.2", "--figure", "x.gif"])
