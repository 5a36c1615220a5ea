"""A training on episodes of three concepts runs, and its model is evaluated on them."""

from __future__ import annotations

from pathlib import Path

import pytest

import lcl_lab as lcl


@pytest.mark.slow
def test_a_training_with_three_ways(untrained: Path, tmp_path: Path) -> None:
    trained = lcl.train_model(strategy="2-way", start=untrained, ways=3, out=tmp_path / "out", preset="tiny", threads=1)
    assert trained.card["ways"] == 3
    result = lcl.run_study("n_way", preset="tiny", model=str(tmp_path / "out"), queries=4, results=tmp_path / "results")
    assert set(result.records["ways"]) == {2, 3}


def test_episodes_that_a_strategy_cannot_draw_are_reported(untrained: Path, tmp_path: Path) -> None:
    with pytest.raises(lcl.UserError, match=r"^ways 3: the episodes of the authors' code have two concepts"):
        lcl.train_model(
            strategy="policy_2way_weight", start=untrained, ways=3, out=tmp_path / "out", preset="tiny", threads=1
        )
