from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lcl_lab.errors import UserError
from lcl_lab.sweeps import SweepConfig, TrainingTrial
from lcl_lab.sweeps.ranges import Range, find_range
from lcl_lab.sweeps.search_space import SearchSpace, setting_name

TRAIN = {"preset": "tiny", "learning_rate": {"loguniform": [1e-5, 1e-3]}, "lora": {"choice": [4, 8, 16]}}
SHOTS = {"study": "shots", "preset": "tiny", "queries": {"randint": [2, 40]}}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("choice", (4, "a", None)),
        ("uniform", (-1, 0.5)),
        ("loguniform", (1e-5, 1e-3)),
        ("randint", (-3, 3)),
        ("lograndint", (1, 64)),
    ],
)
def test_drawn_values_are_in_the_range_and_reach_its_ends(kind: str, values: tuple[object, ...]) -> None:
    range_, rng = Range(kind, values), np.random.default_rng(0)
    drawn = [range_.draw(rng) for _ in range(500)]
    if range_.is_list:
        assert set(drawn) == set(values)
        return
    low, high = range_.values
    assert all(low <= value <= high for value in drawn)
    if range_.is_integer:
        assert {low, high} <= set(drawn)
        assert all(isinstance(value, int) for value in drawn)
    middle = (low * high) ** 0.5 if range_.is_logarithmic else (low + high) / 2
    assert 0.35 < np.mean([value < middle for value in drawn]) < 0.65


def test_values_that_are_mappings_are_no_ranges() -> None:
    assert find_range("extra_body", {"top_k": [1, 2]}) is None
    assert find_range("extra_body", {"choice": [1], "n": 2}) is None
    assert find_range("steps", 4) is None


def test_random_trials_have_different_settings_of_trainings_and_studies() -> None:
    options = {"strategies": ["2-way", "mix"], "seeds": [0, 1], "train": TRAIN, "studies": [SHOTS]}
    config = SweepConfig.create(**options, search={"trials": 5, "seed": 3})
    trials = config.trials()
    assert len(trials) == config.count == 20
    assert len({trial.name for trial in trials}) == 20
    assert [trial.setting for trial in trials[:5]] == [trial.setting for trial in trials[5:10]]
    for trial in trials:
        assert isinstance(trial, TrainingTrial)
        ((_, study),) = trial.evaluations
        values = {"learning_rate": trial.training.learning_rate, "lora": trial.training.lora}
        assert {**values, "shots.queries": study.queries} == trial.setting
        assert trial.name.endswith(f"-{setting_name(trial.setting)}")
        assert trial.parameters["lora"] == trial.setting["lora"]
    more = SweepConfig.create(**options, search={"trials": 8, "seed": 3}).trials()
    assert [trial.name for trial in more[:5]] == [trial.name for trial in trials[:5]]
    other = SweepConfig.create(**options, search={"trials": 5, "seed": 4}).trials()
    assert not {trial.name for trial in other} & {trial.name for trial in trials}


def test_a_grid_is_crossed_with_what_is_drawn() -> None:
    train = {"preset": "tiny", "lora": {"grid": [4, 8]}, "learning_rate": {"uniform": [0.1, 0.2]}}
    trials = SweepConfig.create(strategies="2-way", train=train, search={"trials": 3}).trials()
    assert [trial.setting["lora"] for trial in trials] == [4, 4, 4, 8, 8, 8]
    only_grid = SweepConfig.create(strategies="2-way", train={"preset": "tiny", "lora": {"grid": [4, 8]}})
    assert [trial.setting for trial in only_grid.trials()] == [{"lora": 4}, {"lora": 8}]


def test_all_settings_of_short_lists_can_be_drawn() -> None:
    space = SearchSpace.of({"lora": {"choice": [4, 8, 16]}, "every_answer": {"choice": [True, False]}}, [])
    settings = space.random_settings(6, seed=0)
    assert len({setting_name(setting) for setting in settings}) == 6
    with pytest.raises(UserError, match="there are only 6 settings"):
        space.random_settings(7, seed=0)


def test_values_are_as_in_a_file_whatever_python_gives() -> None:
    found = find_range("ratios", {"choice": [(0, 1), Path("a")]})
    assert found == Range("choice", ([0, 1], "a"))
    for value in (object(), float("nan")):
        with pytest.raises(UserError, match="ratios: a range must consist of finite numbers"):
            find_range("ratios", {"choice": [value]})


def test_a_study_that_occurs_twice_has_two_names() -> None:
    space = SearchSpace.of({}, [SHOTS, SHOTS])
    assert [option.name for option in space.options] == ["shots-1.queries", "shots-2.queries"]
    setting = {"shots-1.queries": 3, "shots-2.queries": 5}
    assert [space.filled(SHOTS, number, setting)["queries"] for number in range(2)] == [3, 5]
