from __future__ import annotations

import pytest

from lcl_lab.dashboard.pair_differences import pair_findings
from lcl_lab.dashboard.sides import LETTER
from lcl_lab.errors import UserError
from tests.dashboard.sides import PAIRS, answers

LABELS = {"A": "A: base", "B": "B: mix"}


def test_differences_by_pair_are_those_of_its_queries_and_the_largest_come_first() -> None:
    records = answers({"A": lambda _: 0.5, "B": lambda _: 0.9})
    (section,) = pair_findings(records, LABELS, "open-ended").sections
    frame = section.tables[0].frame
    assert len(frame) == PAIRS
    right = records.groupby([LETTER, "pair"])["correct_open"].mean()
    for row in frame.to_dict("records"):
        assert row["difference"] == pytest.approx(right["B", row["pair"]] - right["A", row["pair"]])
        assert row["n"] == 10
    assert frame["difference"].abs().is_monotonic_decreasing
    better = int((frame["difference"] > 0).sum())
    assert f"more accurate than A on {better} of {PAIRS} pairs" in section.statements[0].text
    assert f"15 of {PAIRS} pairs that differ most" in section.statements[1].text


def test_a_metric_without_answers_is_refused() -> None:
    records = answers({"A": lambda _: 0.5, "B": lambda _: 0.9}).assign(correct_open=None)
    with pytest.raises(UserError, match="by open-ended"):
        pair_findings(records, LABELS, "open-ended")
