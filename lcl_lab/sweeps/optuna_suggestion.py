"""The next setting of a search by Optuna, as a function of the seed and of the results so far.

Optuna's own studies continue a stream of random numbers, which a killed process loses. Here every setting has a
separate generator, and the study is built again from the results, so that a resumed search continues as it would have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from lcl_lab.sweeps.ranges import Range
from lcl_lab.sweeps.search_space import SearchSpace, Setting, setting_name

__all__ = ["TriedSetting", "suggest_setting"]

_RANDOM_FIRST = 5  # settings that are drawn at random, since nothing is known yet
_ATTEMPTS = 100  # to suggest a setting that has not been tried

State = Literal["running", "finished", "stopped", "failed"]
_STATES = {
    "running": TrialState.RUNNING,
    "finished": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass
class TriedSetting:
    """A setting that has been suggested, and what came of it.

    Attributes:
        setting: the values.
        state: of its trial; one without a value of the metric has failed.
        value: of the metric, once its trial has finished.
        steps: of a trial that was stopped early, the step at which each intermediate value was reported.
    """

    setting: Setting
    state: State = "running"
    value: float | None = None
    steps: dict[int, float] = field(default_factory=dict)


def suggest_setting(
    space: SearchSpace, tried: Sequence[TriedSetting], seed: int, mode: Literal["max", "min"]
) -> Setting | None:
    """A setting that has not been tried.

    Args:
        space: the options.
        tried: the settings so far, in the order in which they were suggested.
        seed: of the search.
        mode: whether a large or a small value of the metric is good.

    Returns:
        The setting; None if no other was found.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {option.name: _distribution(option.range) for option in space.options}
    known = {setting_name(one.setting) for one in tried}
    rng = np.random.default_rng([seed, len(tried)])
    sampler = optuna.samplers.TPESampler(
        n_startup_trials=_RANDOM_FIRST, constant_liar=True, seed=int(rng.integers(1 << 31))
    )
    study = optuna.create_study(direction="maximize" if mode == "max" else "minimize", sampler=sampler)
    study.add_trials([_optuna_trial(space, one, distributions) for one in tried])
    for _ in range(_ATTEMPTS):
        asked = study.ask(distributions).params
        setting = {option.name: _value(option.range, asked[option.name]) for option in space.options}
        if setting_name(setting) not in known:
            return setting
    # Where few settings are left, the sampler prefers those that have been tried.
    for _ in range(_ATTEMPTS * _ATTEMPTS):
        setting = {option.name: option.range.draw(rng) for option in space.options}
        if setting_name(setting) not in known:
            return setting
    return None


def _optuna_trial(
    space: SearchSpace, tried: TriedSetting, distributions: dict[str, BaseDistribution]
) -> optuna.trial.FrozenTrial:
    params = {option.name: _parameter(option.range, tried.setting[option.name]) for option in space.options}
    state = _STATES[tried.state]
    if tried.state == "finished" and tried.value is None:
        state = TrialState.FAIL
    return optuna.trial.create_trial(
        state=state,
        value=tried.value if state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        intermediate_values=tried.steps,
    )


def _distribution(range_: Range) -> BaseDistribution:
    if range_.is_list:
        return CategoricalDistribution(range(len(range_.values)))
    low, high = range_.values
    kind = IntDistribution if range_.is_integer else FloatDistribution
    return kind(low, high, log=range_.is_logarithmic)


def _value(range_: Range, parameter: Any) -> Any:
    """The value of an option from Optuna's parameter, which of a list is the number of the value."""
    if range_.is_list:
        return range_.values[parameter]
    return parameter if range_.is_integer else range_.rounded(parameter)


def _parameter(range_: Range, value: Any) -> Any:
    return range_.values.index(value) if range_.is_list else value
