from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lcl_lab.reporting import Claim, Findings, Section, Statement, assess, verdicts_after_holm

from .factories import comparison, estimate, findings


@pytest.mark.parametrize("metric", ["candidate", "open-ended"])
def test_a_metric_keeps_only_its_own_parts_and_those_of_none(metric: str) -> None:
    (other,) = {"candidate", "open-ended"} - {metric}
    shown = findings().for_metric(metric)
    (section,) = shown.sections
    assert [statement.metric for statement in section.statements] == [metric, None]
    assert section.metrics == {metric}
    assert set(section.tables[0].frame["metric"]) == {metric}
    assert [panel.metric for panel in section.figure.panels] == [metric]  # type: ignore[union-attr]
    assert [claim.metric for claim in shown.claims] == [metric]
    assert all(other not in statement.text for statement in section.statements)


def test_only_metrics_with_data_are_offered() -> None:
    assert findings().metrics == ["candidate", "open-ended"]
    assert findings().for_metric("open-ended").metrics == ["open-ended"]
    assert Findings("t", [Section("h", [Statement("x", metric="candidate-raw")])]).metrics == []


def test_a_section_of_another_metric_is_left_out() -> None:
    one = Section("one", [Statement("x", metric="candidate")])
    text = Section("text", [Statement("y")])
    shown = Findings("t", [one, text]).for_metric("open-ended")
    assert [section.heading for section in shown.sections] == ["text"]


def test_estimates_are_one_tidy_frame_without_repetition() -> None:
    frame = findings().estimates
    assert len(frame) == 4 + 2 + 2  # table cells, changes, claims
    accuracy = frame[(frame["estimand"] == "accuracy") & frame["model"].notna()]
    assert accuracy["k"].tolist() == [0, 1, 0, 1]
    assert accuracy["method"].unique().tolist() == ["bootstrap"]
    change = frame[frame["estimand"] == "change in accuracy"]
    assert change["p_value"].tolist() == [0.0004, 0.0004]
    assert change["a"].tolist() == [{"k": 0}, {"k": 0}]
    twice = Findings("t", [Section("h", [Statement("{x}", {"x": estimate(None)})])] * 2)
    assert len(twice.estimates) == 1
    assert list(Findings("t", []).estimates.columns)[:3] == ["estimand", "model", "metric"]


@pytest.mark.parametrize(
    ("interval", "bounds", "verdict"),
    [
        ((0.5, 0.4, 0.6), {"above": 0.3}, "holds"),
        ((0.5, 0.4, 0.6), {"above": 0.5}, "inconclusive"),
        ((0.5, 0.4, 0.6), {"above": 0.7}, "does not hold"),
        ((0.0, -0.04, 0.04), {"above": -0.05, "below": 0.05}, "holds"),
        ((0.0, -0.06, 0.04), {"above": -0.05, "below": 0.05}, "inconclusive"),
        ((0.2, 0.1, 0.3), {"above": -0.05, "below": 0.05}, "does not hold"),
    ],
)
def test_a_claim_holds_only_where_the_whole_interval_does(
    interval: tuple[float, float, float], bounds: dict[str, float], verdict: str
) -> None:
    value, low, high = interval
    claim = assess("Table 2", "text", "ours", estimate("candidate", value, low=low, high=high), **bounds)
    assert claim.verdict == verdict
    assert claim.metric == "candidate"


def test_a_claim_shows_what_was_measured() -> None:
    assert assess("F", "c", "m", estimate(None), above=0).measured == "m 0.500 [0.400, 0.600]"
    assert assess("F", "c", "m", comparison("candidate"), below=0).measured == "m -0.250 [-0.350, -0.150]"


@pytest.mark.parametrize("above", [None, -0.1, 0.0, 0.1])
@pytest.mark.parametrize("below", [None, 0.05, 0.3])
def test_the_p_value_of_a_claim_agrees_with_its_verdict(above: float | None, below: float | None) -> None:
    if above is below is None:
        return
    for value in np.linspace(-0.4, 0.5, 46):
        measured = replace(estimate("candidate"), value=value, low=value - 0.08, high=value + 0.11)
        claim = assess("Table 1", "it rises", "change", measured, above, below)
        assert claim.p_value is not None
        assert (claim.p_value < 0.05) == (claim.verdict != "inconclusive")


def test_of_many_claims_some_stay_inconclusive_after_holm() -> None:
    def claim(low: float) -> Claim:
        return assess(
            "Table 1", "it rises", "change", replace(estimate("candidate"), value=0.1, low=low, high=0.2), above=0.0
        )

    clear, marginal = claim(0.08), claim(0.004)
    assert verdicts_after_holm([marginal]) == ["holds"]
    assert verdicts_after_holm([clear, marginal, marginal, claim(-0.01)]) == [
        "holds", "inconclusive", "inconclusive", "inconclusive",
    ]  # fmt: skip
    untested = Claim("Table 1", "it is there", "figure", "holds")
    assert verdicts_after_holm([untested]) == ["holds"]


def test_an_inconclusive_claim_says_what_would_decide_it() -> None:
    measured = replace(estimate("candidate"), value=0.05, low=-0.05, high=0.15, clusters=50)
    claim = assess("Table 1", "it rises", "change", measured, above=0.0)
    # The arm is 1.96 standard errors, and 2.80 are detected in 80 % of studies: (2.80 / 1.96 · 0.10 / 0.05)² = 8.17.
    undecided = claim.detectable()
    assert undecided is not None
    assert undecided.difference == pytest.approx(0.143, abs=1e-3)
    assert undecided.needed == 409
    assert claim.measured.endswith("; detectable: 0.14; about 409 clusters would decide it")
    at_the_bound = assess("Table 1", "it rises", "change", replace(measured, value=0.0), above=0.0)
    assert at_the_bound.measured.endswith("more queries would hardly decide it")
    decided = assess("Table 1", "it rises", "change", replace(measured, low=0.01), above=0.0)
    assert "detectable" not in decided.measured
