from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lcl_lab.analysis import METRICS, accuracy
from lcl_lab.errors import UserError

from .simulated import records

BY = ["model", "false_ratio"]


def test_there_is_a_row_for_each_cell_and_metric() -> None:
    result = accuracy(records(), BY, 0)
    assert len(result) == 2 * 2 * len(METRICS)
    assert set(result["clusters"]) == {40}
    assert set(result["n"]) == {200}


def test_the_estimate_lies_inside_both_intervals() -> None:
    frame = records()
    for row in accuracy(frame, BY, 0).itertuples():
        cell = frame[(frame["model"] == row.model) & (frame["false_ratio"] == row.false_ratio)]
        assert row.estimate == cell[METRICS[row.metric]].mean()
        assert row.low <= row.estimate <= row.high
        assert row.wilson_low <= row.estimate <= row.wilson_high


def test_a_row_does_not_depend_on_other_rows_or_their_order() -> None:
    frame = records()
    alone = accuracy(frame[frame["model"] == "a"].sample(frac=1, random_state=0), BY, 0)
    together = accuracy(frame, BY, 0)
    pd.testing.assert_frame_equal(alone, together[together["model"] == "a"].reset_index(drop=True))


def test_records_without_a_value_of_a_column_are_a_cell_and_those_without_an_outcome_do_not_count() -> None:
    frame = records().assign(place=None, graded=lambda rows: rows["correct_candidate"].astype("boolean"))
    frame.loc[frame["model"] == "a", "place"] = "here"
    frame.loc[frame.index[frame["model"] == "b"][:30], "graded"] = pd.NA
    rows = accuracy(frame, ["place"], 0, {"graded": "graded"})
    assert rows["place"].isna().tolist() == [False, True]
    assert rows["n"].tolist() == [400, 370]
    assert rows["estimate"].tolist() == [frame.loc[frame["place"].isna() == gone, "graded"].mean() for gone in (0, 1)]


def test_without_condition_columns_there_is_one_cell() -> None:
    assert len(accuracy(records(), [], 0)) == len(METRICS)


def test_a_missing_column_is_reported_with_the_closest_one() -> None:
    with pytest.raises(UserError, match=r"no column 'false_ratios'.*did you mean 'false_ratio'"):
        accuracy(records(), ["false_ratios"], 0)


def nested(rng: np.random.Generator, pairs: int, draws: int, tilt: float | None = None) -> tuple[pd.DataFrame, float]:
    """Three queries per support draw, with random effects of the pair and of the draw; and the true accuracy.

    With a `tilt` there is one pair with that effect, and the true accuracy is its accuracy over new draws.
    """
    support = np.repeat(np.arange(pairs * draws), 3)
    pair = support // draws
    of_pair = rng.standard_normal(pairs) if tilt is None else np.full(pairs, tilt)
    luck = (
        of_pair[pair] * 0.2**0.5
        + rng.standard_normal(pairs * draws)[support] * 0.2**0.5
        + rng.standard_normal(len(support)) * 0.6**0.5
    )
    bound = float(stats.norm.ppf(0.7))
    truth = 0.7 if tilt is None else float(stats.norm.cdf((bound - tilt * 0.2**0.5) / 0.8**0.5))
    return pd.DataFrame({"pair": pair, "support_id": support, "right": luck < bound}), truth


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "draws", "tilt", "clusters"), [(40, 4, None, 40), (1, 40, 0.5, 40)])
def test_intervals_cover_new_pairs_or_within_one_pair_new_supports(
    pairs: int, draws: int, tilt: float | None, clusters: int
) -> None:
    rng = np.random.default_rng(5)
    inside = []
    for seed in range(700):
        frame, truth = nested(rng, pairs, draws, tilt)
        row = accuracy(frame, [], seed, {"right": "right"}, ("pair", "support_id")).iloc[0]
        inside.append(row["low"] <= truth <= row["high"])
    assert row["clusters"] == clusters
    assert 0.93 <= np.mean(inside) <= 0.97


def test_queries_of_one_support_draw_are_not_treated_as_independent() -> None:
    frame, _ = nested(np.random.default_rng(6), 1, 40, 0.5)
    row = accuracy(frame, [], 0, {"right": "right"}, ("pair", "support_id")).iloc[0]
    assert row["high"] - row["low"] > 1.05 * (row["wilson_high"] - row["wilson_low"])


def three_cells(rng: np.random.Generator, means: list[float], clusters: int, size: int) -> pd.DataFrame:
    """Cells of beta-binomial clusters with a correlation of 0.1."""
    chances = np.concatenate([rng.beta(9 * mean, 9 * (1 - mean), clusters) for mean in means])
    right = rng.random((len(chances), size)) < chances[:, None]
    cell = np.repeat(range(len(means)), clusters * size)
    return pd.DataFrame(
        {"cell": cell, "pair": np.tile(np.repeat(range(clusters), size), len(means)), "right": right.ravel()}
    )


def test_a_perfect_score_borrows_the_correlation_of_other_cells() -> None:
    frame = three_cells(np.random.default_rng(7), [0.7, 0.9, 0.5], 50, 160)
    frame.loc[frame["cell"] == 2, "right"] = False
    reach = accuracy(frame, ["cell"], 0, {"right": "right"}).set_index("cell").loc[2, "high"]
    assert 0.003 < reach < 0.02  # 0 of 8,000; Wilson's interval of 50 clusters that agree reaches to 0.07
    alone = accuracy(frame[frame["cell"] == 2], ["cell"], 0, {"right": "right"}).loc[0, "high"]
    assert alone == pytest.approx(0.0713, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("mean", [0.99, 0.998])
def test_intervals_near_one_keep_their_coverage(mean: float) -> None:
    rng, inside = np.random.default_rng(8), []
    for seed in range(200):
        frame = three_cells(rng, [0.7, 0.9, mean], 50, 16)
        row = accuracy(frame, ["cell"], seed, {"right": "right"}).set_index("cell").loc[2]
        inside.append(row["low"] <= mean <= row["high"])
    assert np.mean(inside) >= 0.93
