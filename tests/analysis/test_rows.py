"""Selected rows are those of a mask, and copy nothing where they lie together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lcl_lab.analysis import rows_of, select_rows

FRAME = pd.DataFrame({"model": ["a", "a", "b", "b", "a"], "ratio": [0.0, 1.0, 0.0, None, 1.0], "value": range(5)})


@pytest.mark.parametrize("mask", [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])
def test_rows_are_those_of_the_mask(mask: list[int]) -> None:
    chosen = np.array(mask, dtype=bool)
    pd.testing.assert_frame_equal(select_rows(FRAME, chosen), FRAME[chosen])


def test_rows_that_lie_together_are_not_copied() -> None:
    part = select_rows(FRAME, FRAME["model"] == "b")
    assert np.shares_memory(part["value"].to_numpy(), FRAME["value"].to_numpy())


def test_all_values_of_a_condition_must_match_and_missing_ones_never_do() -> None:
    assert rows_of(FRAME, {"model": "a", "ratio": 1.0})["value"].tolist() == [1, 4]
    assert rows_of(FRAME, {"model": "b", "ratio": None}).empty
    assert len(rows_of(FRAME, {})) == 5
