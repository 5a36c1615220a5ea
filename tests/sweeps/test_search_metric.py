from __future__ import annotations

from typing import Any

import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import SweepConfig, check_sweep

RATIO = {"study": "false_ratio", "preset": "tiny", "queries": 4}
SHOTS = {"study": "shots", "preset": "tiny", "queries": {"choice": [4, 6]}, "shots": [2, 4]}
MODELS = {"models": "mini/2-way", "studies": [RATIO, SHOTS]}
TRAIN = {"strategies": "2-way", "train": {"preset": "tiny", "lora": {"choice": [4, 8]}}}


@pytest.mark.parametrize(
    ("metric", "estimate"),
    [
        ("link_score", (0, "link score/candidate")),
        ("false_ratio/link score/open-ended", (0, "link score/open-ended")),
        ("shots/accuracy/candidate/shots=4", (1, "accuracy/candidate/shots=4")),
    ],
)
def test_a_metric_is_an_estimate_of_a_study(metric: str, estimate: tuple[int, str]) -> None:
    trials = check_sweep(SweepConfig.create(**MODELS, search={"trials": 2, "metric": metric}))
    assert [trial.metric and (trial.metric.study, trial.metric.estimate) for trial in trials] == [estimate] * 2


@pytest.mark.parametrize(
    ("options", "metric", "message"),
    [
        (MODELS, "held_out_accuracy", "a sweep of models trains nothing; choose an estimate of a study"),
        (
            MODELS,
            "shots/acuracy/candidate/shots=4",
            "no such metric; the nearest are 'shots/accuracy/candidate/shots=4'",
        ),
        ({**MODELS, "studies": [SHOTS]}, "link_score", "no study of the sweep estimates it; false_ratio with"),
        (
            {**MODELS, "studies": [{**RATIO, "ratios": {"choice": [[0, 1], [0.5, 1]]}}]},
            "false_ratio/accuracy/candidate/false_ratio=0",
            "false_ratio has no such estimate at some ends of the ranges of its options",
        ),
        (TRAIN, "held_out_acuracy", "no such metric; the nearest are 'held_out_accuracy'"),
        (
            {"strategies": "vision", "train": {"preset": "tiny", "batch": {"choice": [4, 8]}}},
            "held_out_accuracy",
            "the vision encoder has none; choose an estimate of a study",
        ),
        (
            {**TRAIN, "train": {**TRAIN["train"], "steps": 2, "evaluate_every": 3}},
            "held_out_accuracy",
            "a training of 2 steps is evaluated every 3; give a smaller evaluate_every",
        ),
    ],
)
def test_a_metric_that_trials_have_not_is_refused_before_they_start(
    options: dict[str, Any], metric: str, message: str
) -> None:
    with pytest.raises(UserError) as error:
        check_sweep(SweepConfig.create(**options, search={"trials": 2, "metric": metric}))
    assert str(error.value).startswith(f"search: metric {metric}: {message}")
