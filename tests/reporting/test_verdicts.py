from __future__ import annotations

from lcl_lab.analysis import Detectable, Estimate
from lcl_lab.reporting import Statement, format_detectable, verdict_table


def test_conclusions_on_models_are_rows_with_the_estimate_behind_them() -> None:
    change = Estimate(value=0.5, low=0.4, high=0.6, n=100, clusters=50, estimand="accuracy", metric="candidate")
    undecided = Detectable(0.1, 200, "queries")
    table = verdict_table(
        [
            Statement("{model}: {change}.", {"change": change}, "candidate", "a", "follows"),
            Statement("{model} is nothing.", {}, None, "b", "inconclusive", undecided),
            Statement("Of no model.", verdict="registered"),
            Statement("{model} has no verdict.", {}, None, "c"),
        ]
    )
    assert table.to_numpy().tolist() == [
        ["a", "candidate", "follows", "accuracy 0.500 [0.400, 0.600]"],
        ["b", "", "inconclusive", format_detectable(undecided)],
    ]
    assert list(table.columns) == ["model", "metric", "verdict", "measured here"]
