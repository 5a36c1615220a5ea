from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.sweeps import SweepConfig, SweepPaths
from lcl_lab.sweeps.optuna_suggestion import TriedSetting, suggest_setting
from lcl_lab.sweeps.search_metric import SearchMetric
from lcl_lab.sweeps.search_space import SearchSpace
from lcl_lab.sweeps.suggested_trials import SuggestedTrials
from lcl_lab.sweeps.suggester import SUGGESTED, Suggester

TRAIN = {"preset": "tiny", "learning_rate": {"loguniform": [1e-5, 1e-1]}, "lora": {"choice": [4, 8, 16]}}
METRIC = SearchMetric("held_out_accuracy")


def accuracy(setting: Mapping[str, Any]) -> float:
    """Best at a learning rate of 1e-3."""
    return 1 - 0.2 * abs(math.log10(setting["learning_rate"] / 1e-3)) - 0.001 * setting["lora"]


def config_of(trials: int, **options: Any) -> SweepConfig:
    return SweepConfig.create(
        **{"strategies": "2-way", **options}, train=TRAIN, search={"method": "optuna", "trials": trials, "seed": 1}
    )


def search(config: SweepConfig, folder: Path, most: int = 1, killed_after: float = math.inf) -> list[str]:
    """Run a search whose trials finish in order, `most` at once, until it ends or so many have; returns what ran."""
    paths = SweepPaths(folder, folder)
    folder.mkdir(exist_ok=True)
    suggested = SuggestedTrials(config, METRIC, folder)
    trials = {trial.name: trial for trial in suggested.read()}

    def note(name: str, status: str, details: dict[str, Any]) -> None:
        assert status == SUGGESTED
        trials[name] = suggested.add(**details)

    suggester = Suggester(config, suggested.before(list(trials.values()), paths), most, note)
    running: list[tuple[str, dict[str, Any]]] = []
    ran: list[str] = []
    for number in count():
        suggestion = suggester.suggest(str(number))
        if isinstance(suggestion, dict):
            running.append((str(number), suggestion))
            continue
        if not running:
            return ran
        id, parameters = running.pop(0)
        (name, value) = parameters["trial"]["name"], accuracy(parameters["setting"])
        paths.finish(name, options=trials[name].options, metric=METRIC.name, value=value)
        ran.append(name)
        suggester.on_trial_complete(id, {"value": value})
        if len(ran) >= killed_after:
            return ran
    raise AssertionError


def test_a_killed_search_continues_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    config = config_of(9)
    undisturbed = search(config, tmp_path / "undisturbed")
    first = search(config, tmp_path / "killed", killed_after=6)
    rest = search(config, tmp_path / "killed")
    assert first + rest == undisturbed
    assert len(set(undisturbed)) == config.count == 9
    more = search(config_of(11), tmp_path / "killed")
    assert len(more) == 2


@pytest.mark.parametrize("most", [1, 3])
def test_no_trial_is_repeated_or_lost_with_several_workers(tmp_path: Path, most: int) -> None:
    config = config_of(3, seeds=[0, 1])
    first = search(config, tmp_path / "killed", most, killed_after=4)
    rest = search(config, tmp_path / "killed", most)
    assert len(set(first + rest)) == len(first + rest) == config.count == 6
    assert [sum(f"-seed-{seed}-" in name for name in first + rest) for seed in (0, 1)] == [3, 3]


def test_other_options_begin_another_search(tmp_path: Path) -> None:
    search(config_of(2), tmp_path / "sweep")
    config = SweepConfig.create(
        strategies="2-way", train={**TRAIN, "steps": 6}, search={"method": "optuna", "trials": 2, "seed": 1}
    )
    assert SuggestedTrials(config, METRIC, tmp_path / "sweep").read() == []
    assert len(SuggestedTrials(config_of(2), METRIC, tmp_path / "sweep").read()) == 2


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    search(config_of(2), tmp_path)
    file = tmp_path / "suggestions.jsonl"
    file.write_text(file.read_text() + '{"search": "torn\n[1]\n{"search": 3}\n')
    assert len(SuggestedTrials(config_of(2), METRIC, tmp_path).read()) == 2


def test_optuna_finds_better_settings_than_chance() -> None:
    space = SearchSpace.of(TRAIN, [])
    tried: list[TriedSetting] = []
    for _ in range(24):
        setting = suggest_setting(space, tried, seed=0, mode="max")
        assert setting is not None
        tried.append(TriedSetting(setting, "finished", accuracy(setting)))
    drawn = [accuracy(setting) for setting in space.random_settings(500, seed=0)]
    suggested = [one.value or 0.0 for one in tried[8:]]
    assert sum(suggested) / len(suggested) > sum(drawn) / len(drawn) + 0.05


def test_every_setting_is_suggested_once_and_failed_and_stopped_trials_are_no_obstacle() -> None:
    space = SearchSpace.of({"lora": {"choice": [4, 8, 16]}, "every_answer": {"choice": [True, False]}}, [])
    tried: list[TriedSetting] = []
    states = ("finished", "failed", "stopped", "running", "finished", "finished")
    for number, state in enumerate(states):
        setting = suggest_setting(space, tried, seed=number, mode="min")
        assert setting is not None
        tried.append(TriedSetting(setting, state, 0.5 if number else None, {2: 0.5} if state == "stopped" else {}))
    assert len({str(one.setting) for one in tried}) == 6
    assert suggest_setting(space, tried, seed=9, mode="min") is None
