"""Calibrated choices on log-likelihoods that are a signal plus known biases, and against other computations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from lcl_lab.analysis import CALIBRATED_METRICS, calibrated_choices
from lcl_lab.errors import UserError

IMAGES = ("grey", "black", "white", "noise")
PMI, CONTEXTUAL, BATCH = CALIBRATED_METRICS.values()


def records(
    signal: np.ndarray,
    name_bias: np.ndarray | float = 0.0,
    recency: float = 0.0,
    last_is_true: np.ndarray | None = None,
    pairs: int = 10,
) -> pd.DataFrame:
    """Log-odds of the true name: a signal of the query, a bias of the name, and one of the name shown last."""
    n = len(signal)
    is_last = np.arange(n) // pairs % 2 == 0 if last_is_true is None else last_is_true
    prior = name_bias + np.where(is_last, recency, -recency)
    frame = pd.DataFrame(
        {
            "model": "m",
            "pair": np.arange(n) % pairs,
            "true_name": "dax",
            "other_name": "wug",
            "tokens_true": 1,
            "tokens_other": 1,
            "loglik_true": signal + prior - 5.0,
            "loglik_other": -5.0,
            "support": [[{"label": "wug"}, {"label": "dax"}] if last else [{"label": "wug"}] for last in is_last],
        }
    )
    for image in IMAGES:
        frame[f"loglik_true_{image}"], frame[f"loglik_other_{image}"] = prior - 7.0, -7.0
    return frame


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def test_a_bias_of_names_is_removed_exactly_by_images_without_content() -> None:
    signal, bias = 0.5 + noise(200), 3 * noise(200, 1)
    scored = calibrated_choices(records(signal, bias))
    unbiased = (signal > 0).astype(float).tolist()
    assert scored[PMI].tolist() == scored[CONTEXTUAL].tolist() == unbiased
    assert (scored["loglik_true"] > scored["loglik_other"]).astype(float).tolist() != unbiased


def test_a_preference_for_the_last_label_is_removed_by_the_other_pairs() -> None:
    """With signals of equal size every threshold between those of the two slots separates them."""
    signal = np.where(noise(200) > -1.5, 1.0, -1.0)
    scored = calibrated_choices(records(signal, recency=2.5))
    assert (scored["loglik_true"] > scored["loglik_other"]).mean() == 0.5
    assert scored[BATCH].tolist() == (signal > 0).astype(float).tolist()


def test_without_a_bias_nothing_changes() -> None:
    signal = np.where(noise(200) > -1, 1.0, -1.0)
    scored = calibrated_choices(records(signal))
    for column in (PMI, CONTEXTUAL, BATCH):
        assert scored[column].tolist() == (signal > 0).astype(float).tolist()


def test_contextual_calibration_is_that_of_zhao() -> None:
    """Probabilities divided by the mean ones, as the paper writes it: W = diag(p)⁻¹."""
    frame = records(noise(300), noise(300, 1))
    for number, image in enumerate(IMAGES):
        frame[f"loglik_true_{image}"] += noise(300, 2 + number)
    expected = []
    for row in frame.itertuples():
        free = [softmax([getattr(row, f"loglik_{side}_{image}") for side in ("true", "other")]) for image in IMAGES]
        true, other = softmax([row.loglik_true, row.loglik_other]) / np.mean(free, axis=0)
        expected.append(float(true > other))
    assert calibrated_choices(frame)[CONTEXTUAL].tolist() == expected
    assert calibrated_choices(frame)[PMI].tolist() != expected


def test_batch_calibration_is_that_of_zhou_without_the_querys_own_pair() -> None:
    frame = records(noise(240), recency=1.0, pairs=8).assign(tokens_true=2, tokens_other=3)
    frame.loc[:119, "model"] = "another"
    expected = []
    for row in frame.itertuples():
        others = frame[(frame["model"] == row.model) & (frame["pair"] != row.pair)]
        mean = np.mean([_slots(other) for other in others.itertuples()], axis=0)
        last, first = _slots(row) / mean
        true_is_last = row.support[-1]["label"] == row.true_name
        expected.append(float((last > first) == true_is_last))
    assert calibrated_choices(frame)[BATCH].tolist() == expected


def _slots(row: object) -> np.ndarray:
    """The probabilities of the name that the support shows last and of the other one, per token."""
    true, other = softmax([row.loglik_true / row.tokens_true, row.loglik_other / row.tokens_other])  # type: ignore[attr-defined]
    return np.array([true, other] if row.support[-1]["label"] == row.true_name else [other, true])  # type: ignore[attr-defined]


def test_conditions_are_batches_of_their_own() -> None:
    one, two = records(noise(100), recency=3.0), records(noise(100, 1), recency=-3.0)
    together = pd.concat([one.assign(k=1), two.assign(k=2)], ignore_index=True)
    apart = [calibrated_choices(frame)[BATCH] for frame in (one, two)]
    assert calibrated_choices(together, ["k"])[BATCH].tolist() == [*apart[0], *apart[1]]
    assert calibrated_choices(together)[BATCH].tolist() != [*apart[0], *apart[1]]


def test_a_query_does_not_move_its_own_threshold() -> None:
    frame = records(noise(100), recency=1.0)
    changed = frame.copy()
    changed.loc[changed["pair"] == 3, "loglik_true"] += 50.0
    before, after = (calibrated_choices(one)[BATCH] for one in (frame, changed))
    own = frame["pair"] == 3
    assert after[own & (frame.index // 10 % 2 == 0)].eq(1.0).all()
    assert before[own].tolist() != after[own].tolist()


def test_there_is_no_batch_where_the_design_decides_which_name_is_last() -> None:
    frame = records(noise(100), last_is_true=np.arange(100) % 10 != 0)
    assert calibrated_choices(frame)[BATCH].isna().all()
    assert calibrated_choices(frame)[PMI].notna().all()


def test_there_is_no_batch_without_a_support_or_another_pair() -> None:
    without = records(noise(20)).assign(support=[[]] * 20)
    assert calibrated_choices(without)[BATCH].isna().all()
    assert calibrated_choices(records(noise(20), pairs=1))[BATCH].isna().all()


def test_a_query_that_says_no_more_than_a_grey_image_is_a_tie() -> None:
    scored = calibrated_choices(records(np.zeros(20), np.log(9.0)))
    assert set(scored[PMI]) == set(scored[CONTEXTUAL]) == {0.5}


def test_large_log_likelihoods_are_not_rounded_to_certainty() -> None:
    scored = calibrated_choices(records(np.where(noise(200) > 0, 1.0, -1.0), name_bias=80.0))
    assert 0 < scored[CONTEXTUAL].mean() < 1
    assert scored[CONTEXTUAL].tolist() == scored[PMI].tolist()


def test_what_is_missing_is_not_guessed() -> None:
    frame = records(noise(20))
    frame.loc[3, "loglik_true_noise"] = np.nan
    frame.loc[4, "loglik_true"] = np.nan
    scored = calibrated_choices(frame)
    assert np.flatnonzero(scored[PMI].isna()).tolist() == [4]
    assert np.flatnonzero(scored[CONTEXTUAL].isna()).tolist() == [3, 4]
    assert np.flatnonzero(scored[BATCH].isna()).tolist() == [4]
    with pytest.raises(UserError, match="no column 'loglik_other_white'"):
        calibrated_choices(frame.drop(columns="loglik_other_white"))
