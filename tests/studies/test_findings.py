from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.store import collect
from lcl_lab.studies._findings import Findings, Section, Table, accuracy_table, claim, interval
from lcl_lab.studies._report import findings_page, write_report


@pytest.mark.parametrize(
    ("found", "bounds", "verdict"),
    [
        ((0.5, 0.4, 0.6), {"above": 0.3}, "holds"),
        ((0.5, 0.4, 0.6), {"above": 0.5}, "cannot tell"),
        ((0.5, 0.4, 0.6), {"above": 0.7}, "does not hold"),
        ((0.0, -0.04, 0.04), {"above": -0.05, "below": 0.05}, "holds"),
        ((0.0, -0.06, 0.04), {"above": -0.05, "below": 0.05}, "cannot tell"),
        ((0.2, 0.1, 0.3), {"above": -0.05, "below": 0.05}, "does not hold"),
    ],
)
def test_a_claim_holds_only_where_the_whole_interval_says_so(
    found: tuple[float, float, float], bounds: dict[str, float], verdict: str
) -> None:
    assert claim("Table 2", "text", "ours", found, **bounds).verdict == verdict


def test_estimates_are_written_with_their_interval() -> None:
    assert interval(0.5, 0.41, 0.599) == "0.500 [0.410, 0.599]"
    assert interval(-0.5, -0.6, 0.1, sign=True, places=2) == "-0.50 [-0.60, +0.10]"


def test_a_table_has_a_row_a_model_and_metric_and_leaves_open_what_was_not_asked() -> None:
    rows = [("a", "candidate", 2, 0.5), ("a", "candidate", 0, 0.4), ("b", "candidate", 2, 0.6)]
    frame = pd.DataFrame(rows, columns=["model", "metric", "shots", "estimate"]).assign(low=0.1, high=0.9)
    table = accuracy_table(frame, "shots", "Accuracy").rows
    assert list(table.columns) == ["model", "metric", "0", "2"]
    assert table.to_numpy().tolist() == [
        ["a", "candidate", "0.40 [0.10, 0.90]", "0.50 [0.10, 0.90]"],
        ["b", "candidate", "", "0.60 [0.10, 0.90]"],
    ]


def test_what_a_model_said_cannot_become_markup(tmp_path: Path) -> None:
    said = '<script>alert("x")</script><img src="http://there/x.png"> | a'
    table = Table("What models said", pd.DataFrame({"model": ["m"], "answer": [said]}))
    findings = Findings("Title <b>", [Section("One", [f"It said {said}."], tables=[table])])
    write_report(tmp_path, findings, "Question   Why?\n", collect({}, [0], "cpu", 1.0, ["python", "-m", "x"]))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page
    assert "<td>m</td>" in page


def test_a_page_of_findings_fetches_nothing_and_text_in_it_is_no_markup() -> None:
    evil = (
        "<script>alert(1)</script> ![x](http://evil.example/x.png) [y](javascript:alert(1)) ![z](../../../secret.png)"
    )
    table = Table(evil, pd.DataFrame({"model": [evil]}))
    page = findings_page(Findings(evil, [Section(evil, [evil], tables=[table])]), notes=["## Runs", "", evil])
    assert "<script" not in page
    assert "<img" not in page
    assert "<a " not in page
    assert "http://evil.example" in page  # as text
