from __future__ import annotations

import math

import numpy as np
import pytest

from lcl_lab.analysis import FEW_TRIALS, SearchedOption, parameter_importance

OPTIONS = (
    SearchedOption("learning_rate", "real", (1e-5, 1e-1), is_logarithmic=True),
    SearchedOption("lora", "list", (4, "all", None)),
    SearchedOption("queries", "integer", (1, 9)),
)


def settings_of(count: int, seed: int = 0) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    return [
        {
            "learning_rate": float(10 ** rng.uniform(-5, -1)),
            "lora": OPTIONS[1].values[rng.integers(3)],
            "queries": int(rng.integers(1, 10)),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_option_that_decides_is_the_most_important(mode: str) -> None:
    settings = settings_of(FEW_TRIALS)
    distances = [abs(math.log10(float(str(setting["learning_rate"]))) + 3) for setting in settings]
    values = [-distance if mode == "max" else distance for distance in distances]
    shares = parameter_importance(OPTIONS, settings, values, mode)  # type: ignore[arg-type]
    assert shares is not None
    assert next(iter(shares)) == "learning_rate"
    assert shares["learning_rate"] > 0.5
    assert sum(shares.values()) == pytest.approx(1)
    of_list = [float(setting["lora"] == "all") for setting in settings]
    shares = parameter_importance(OPTIONS, settings, of_list, "max")
    assert shares is not None and next(iter(shares)) == "lora"


def test_few_trials_and_equal_values_say_nothing() -> None:
    settings = settings_of(12)
    assert parameter_importance(OPTIONS, settings[:7], [float(number) for number in range(7)], "max") is None
    assert parameter_importance(OPTIONS, settings, [0.5] * 12, "max") is None
