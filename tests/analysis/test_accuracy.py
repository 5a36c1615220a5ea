from __future__ import annotations

import pandas as pd
import pytest

from lcl_lab.analysis import METRICS, accuracy
from lcl_lab.errors import UserError

from .simulated import records

BY = ["model", "false_ratio"]


def test_there_is_a_row_for_each_cell_and_metric() -> None:
    found = accuracy(records(), BY, 0)
    assert len(found) == 2 * 2 * len(METRICS)
    assert set(found["clusters"]) == {40}
    assert set(found["n"]) == {200}


def test_the_estimate_is_the_share_of_right_answers_inside_both_intervals() -> None:
    frame = records()
    for row in accuracy(frame, BY, 0).itertuples():
        cell = frame[(frame["model"] == row.model) & (frame["false_ratio"] == row.false_ratio)]
        assert row.estimate == cell[METRICS[row.metric]].mean()
        assert row.low <= row.estimate <= row.high
        assert row.wilson_low <= row.estimate <= row.wilson_high


def test_neither_other_rows_nor_their_order_move_a_row() -> None:
    frame = records()
    alone = accuracy(frame[frame["model"] == "a"].sample(frac=1, random_state=0), BY, 0)
    together = accuracy(frame, BY, 0)
    pd.testing.assert_frame_equal(alone, together[together["model"] == "a"].reset_index(drop=True))


def test_without_cells_all_records_are_one() -> None:
    assert len(accuracy(records(), [], 0)) == len(METRICS)


def test_a_missing_column_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no column 'false_ratios'.*did you mean 'false_ratio'"):
        accuracy(records(), ["false_ratios"], 0)
