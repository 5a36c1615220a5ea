"""The sections about variance, calibration and the prototype ceiling, in reports and on simulated records."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lcl_lab import run_study
from lcl_lab.analysis import calibration, ceiling_share, odds_ratio, true_probability
from lcl_lab.models import PROTOTYPE
from lcl_lab.reporting import Findings, Section, Statement, table_text
from lcl_lab.studies import find_study
from lcl_lab.studies.calibration_section import calibration_section
from lcl_lab.studies.ceiling_section import ceiling_section
from lcl_lab.studies.runner import StudyResult
from lcl_lab.studies.variance_section import outcome_change, outcome_variance, variance_section
from tests.studies.test_strategies import findings_of, strategies_of


def records(accuracies: dict[tuple[str, float], float], seed: int = 0) -> pd.DataFrame:
    """120 answers about 30 pairs of each model at each ratio, with log-likelihoods."""
    rng = np.random.default_rng(seed)
    cells = []
    for (model, ratio), accuracy in accuracies.items():
        right = rng.random(120) < np.clip(accuracy + rng.normal(0, 0.15, 30)[np.arange(120) % 30], 0, 1)
        margin = np.where(right, 1, -1) * rng.exponential(2, 120)
        cell = {"model": model, "false_ratio": ratio, "query_id": range(120), "pair": (np.arange(120) % 30).astype(str)}
        outcomes = dict.fromkeys(("correct_open", "correct_candidate", "correct_candidate_raw"), right)
        cells.append(pd.DataFrame({**cell, **outcomes, "loglik_true": margin - 3, "loglik_other": -3.0}))
    return pd.concat(cells, ignore_index=True)


MODELS = {("m", 0.0): 0.8, ("m", 1.0): 0.3, (PROTOTYPE, 0.0): 0.95, (PROTOTYPE, 1.0): 0.05}


@pytest.fixture(scope="module")
def false_ratio(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    options = {"queries": 40, "shots": 4, "ratios": (0.0, 1.0), "data": "isekai-mini", "model": "mini/2-way"}
    return run_study("false_ratio", results=tmp_path_factory.mktemp("results"), **options)


def section(result: StudyResult, heading: str) -> Section:
    return next(one for one in result.findings.sections if one.heading == heading)


def test_a_report_has_all_three_sections_and_the_figure(false_ratio: StudyResult) -> None:
    report = (false_ratio.path / "report.md").read_text(encoding="utf-8")
    assert "![Calibration](calibration.png)" in report
    assert "The first query under the middle condition. False labels are orange." in report
    assert (false_ratio.path / "calibration.png").read_bytes().startswith(b"\x89PNG")
    assert "| mini/2-way | candidate | change from 0% to 100% false labels | concept pair |" in report
    assert "Not estimable from this design: support draw (one support per query" in report
    assert "Not shown at false ratio 1: the nearest-prototype classifier" in report


def test_the_sections_report_what_the_estimators_return(false_ratio: StudyResult) -> None:
    rows = false_ratio.records
    estimates = false_ratio.estimates.set_index("estimand")
    first = rows[rows["false_ratio"] == 0.0].sort_values("query_id")
    model, best = (first[first["model"] == name] for name in ("mini/2-way", PROTOTYPE))
    sides = [side["correct_candidate"].astype(float) for side in (model, best)]
    share = ceiling_share(*sides, model["pair"])
    shown = estimates.loc["share of the way to the prototype ceiling"]
    assert (shown["estimate"], shown["low"]) == pytest.approx((share.estimate, share.low))
    direct = calibration(true_probability(model), model["pair"], np.random.default_rng(0))
    table = section(false_ratio, "Calibration").tables[0].frame
    assert table.loc[0, "brier"] == pytest.approx(direct.brier)
    assert table.loc[0, "estimate"] == pytest.approx(direct.ece, abs=0.02)  # another generator
    last = rows[(rows["model"] == "mini/2-way") & (rows["false_ratio"] == 1.0)].sort_values("query_id")
    odds = odds_ratio(sides[0], last["correct_candidate"].astype(float), last["pair"])
    of_report = estimates.loc["odds ratio"]
    of_report = of_report[of_report["metric"] == "candidate"].iloc[0]
    assert (of_report["estimate"], of_report["high"]) == pytest.approx((odds.estimate, odds.high))


def test_odds_ratios_stand_next_to_differences_between_models() -> None:
    found = findings_of("strategies", strategies_of({"mix": 1, "base": 1}), (0, 2))
    table = next(one for one in found.sections if one.heading == "Every pair of models").tables[0]
    text = table_text(table)
    row = table.frame.iloc[0]
    assert text.loc[0, "odds ratio"] == (
        f"{row['odds_ratio']:.3f} [{row['odds_ratio_low']:.3f}, {row['odds_ratio_high']:.3f}]"
    )
    assert "odds_ratio_low" not in text


def test_several_trainings_of_a_strategy_have_their_components_of_variance() -> None:
    found = findings_of("strategies", strategies_of({"mix": 3}), (0, 2))
    variance = next(one for one in found.sections if one.heading == "Sources of variance")
    sources = set(variance.tables[0].frame["source"])
    assert sources == {"concept pair", "query", "training", "training × concept pair", "residual"}
    advice = variance.statements[0]
    assert advice.model == "mix"
    assert "trainings" in advice.text
    assert "one training" not in variance.statements[-1].text
    single = findings_of("strategies", strategies_of({"mix": 1, "base": 1}), (0, 2))
    assert not any(one.heading == "Sources of variance" for one in single.sections)


def test_the_advice_has_the_numbers_of_the_components() -> None:
    changes = outcome_change(records(MODELS).query("model == 'm'"), "correct_candidate", "false_ratio", 0.0, 1.0)
    variance = outcome_variance(changes, "change", "m", "candidate", "change")
    assert variance is not None
    section = variance_section([variance, None])
    assert section is not None
    pairs = variance.shares.halving().alone["pairs"]
    assert pairs is not None
    assert 100 <= pairs <= 4 * 30  # four times as many, less what Student's quantile gains
    assert f"{pairs} concept pairs instead of 30" in section.statements[0].text
    assert section.for_metric("open-ended") is None or not section.for_metric("open-ended").tables  # type: ignore[union-attr]


def test_without_what_they_need_there_are_no_sections() -> None:
    rows = records(MODELS)
    alone = rows[rows["model"] == "m"]
    assert ceiling_section(alone, ["m"], "false_ratio") is None
    assert ceiling_section(rows.replace({"false_ratio": {0.0: 1.0, 1.0: 0.0}})[240:], ["m"], "false_ratio") is None
    assert variance_section([outcome_variance(alone[alone["pair"] == "0"][:2], "correct_open", "m", "x", "y")]) is None
    silent = rows.assign(loglik_true=None, loglik_other=None, correct_candidate=None)
    assert calibration_section(silent, ["m"], 0, "at 0 %", false_ratio=0.0) is None
    one_pair = alone[alone["pair"] == "0"]
    assert calibration_section(one_pair, ["m"], 0, "at 0 %", false_ratio=0.0) is None


def test_a_section_is_of_its_metric_only(tmp_path: Path) -> None:
    section = calibration_section(records(MODELS), ["m"], 0, "at 0 %", false_ratio=0.0)
    assert section is not None
    assert section.metrics == {"candidate"}
    assert section.for_metric("open-ended") is None
    again = calibration_section(records(MODELS), ["m"], 0, "at 0 %", false_ratio=0.0)
    assert again is not None
    assert again.tables[0].frame.equals(section.tables[0].frame)


def test_a_heading_without_anything_below_is_left_out(false_ratio: StudyResult) -> None:
    """As that of a comparison with models which are not among those chosen on the dashboard."""
    statement = Statement("One sentence.")

    def analyse(config: object, records: pd.DataFrame) -> Findings:
        return Findings("Title", [Section("Empty"), Section("Filled", [statement])])

    study = replace(find_study("false_ratio"), analyse=analyse)
    found = study.findings(false_ratio.config, false_ratio.records).sections
    assert "Filled" in [section.heading for section in found]
    assert all(section.statements or section.tables or section.figure is not None for section in found)
