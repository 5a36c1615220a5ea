from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab import analysis
from lcl_lab.dashboard import comparison_findings
from lcl_lab.dashboard.sides import LETTER
from lcl_lab.errors import UserError
from lcl_lab.reporting import METHODS, methods_used
from tests.dashboard.sides import answers

LABELS = {"A": "A: base", "B": "B: mix", "C": "C: same"}
CHANCES = {"A": lambda _: 0.5, "B": lambda condition: 0.95 if condition else 0.5, "C": lambda _: 0.5}


def differences(records: pd.DataFrame, metric: str = "candidate") -> pd.DataFrame:
    table = comparison_findings(records, LABELS).for_metric(metric).sections[0].tables[0]
    return table.frame.set_index(["side", "condition"])


def test_each_side_is_compared_with_the_reference_by_the_paired_difference() -> None:
    records = answers(CHANCES)
    frame = differences(records)
    assert set(frame.index) == {(side, f"shots {k}") for side in ("B: mix", "C: same") for k in (2, 4)}
    assert frame.loc[("B: mix", "shots 4"), "verdict"] == "B is better"
    assert (frame.drop(index=("B: mix", "shots 4"))["verdict"] == "inconclusive").all()
    cell = records[(records["filename"] == "shots 4") & records[LETTER].isin(["A", "B"])]
    expected = analysis.paired_difference(cell, "correct_candidate", {LETTER: "A"}, {LETTER: "B"})
    row = frame.loc[("B: mix", "shots 4")]
    names = ["estimate", "low", "high", "p_value", "gains", "losses", "n", "clusters"]
    assert [row[name] for name in names] == [getattr(expected, name) for name in names]
    assert row["holm"] == pytest.approx(4 * row["p_value"])


def test_several_trainings_are_compared_over_trainings() -> None:
    records = answers(CHANCES, {"A": 3, "B": 3})
    findings = comparison_findings(records, LABELS)
    row = differences(records).loc[("B: mix", "shots 4")]
    wide = {
        letter: records[(records[LETTER] == letter) & (records["filename"] == "shots 4")]
        .pivot(index=["pair", "query_id"], columns="model", values="correct_candidate")
        .astype(float)
        for letter in "AB"
    }
    pairs = wide["A"].index.get_level_values("pair")
    expected = analysis.difference_of_strategies(wide["A"].T, wide["B"].T, pairs)
    assert [row["estimate"], row["low"], row["high"]] == [expected.estimate, expected.low, expected.high]
    assert row["gains"] is pd.NA
    accuracy = findings.sections[0].tables[1].frame.set_index(["metric", "side", "condition"])
    over = analysis.seeds(wide["B"].groupby("pair").mean().T)
    assert accuracy.loc[("candidate", "B: mix", "shots 4"), ["low", "high"]].tolist() == [over.low, over.high]
    sentences = [statement.text for statement in findings.sections[0].statements]
    assert any(text.startswith("C: same: one of the two compared sides has a single training") for text in sentences)
    assert set(methods_used(findings)) <= set(METHODS)


def test_what_a_metric_lacks_is_counted_and_the_rest_is_compared() -> None:
    records = answers(CHANCES)
    unknown = (records[LETTER] == "B") & (records["query_id"] < 30)
    records.loc[unknown, ["correct_candidate", "loglik_true", "loglik_other"]] = np.nan
    assert differences(records).loc["B: mix", "n"].tolist() == [70, 70]
    assert differences(records, "open-ended").loc["B: mix", "n"].tolist() == [100, 100]
    findings = comparison_findings(records, LABELS).for_metric("candidate")
    (sentence,) = [one.text for one in findings.sections[1].statements]
    assert "60 of 200 answers of B: mix are not compared: 60 have no log-likelihoods" in sentence
    left_out = findings.sections[1].tables[0].frame
    assert (
        left_out[["side", "answers", "without a value", "without a counterpart"]].to_numpy().tolist()
        == [["B: mix", 100, 30, 0]] * 2
    )


def test_sides_without_a_common_query_are_refused() -> None:
    records = answers({"A": lambda _: 0.5, "B": lambda _: 0.5}, queries=40)
    records = records[(records[LETTER] == "A") == (records["query_id"] < 20)]
    with pytest.raises(UserError, match="no query has answers of A and of another side"):
        comparison_findings(records, {"A": "A: base", "B": "B: mix"})
