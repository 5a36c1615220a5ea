from __future__ import annotations

import pytest

from lcl_lab.reporting import Findings, Section, Statement, assess

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
    assert assess("F", "c", "m", estimate(None)).measured == "m 0.500 [0.400, 0.600]"
    assert assess("F", "c", "m", comparison("candidate")).measured == "m -0.250 [-0.350, -0.150]"
