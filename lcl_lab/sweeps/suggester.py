"""Optuna as a search algorithm of Ray Tune: the next trial whenever a worker is free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ray import tune

from lcl_lab.sweeps.monitor import Note
from lcl_lab.sweeps.optuna_suggestion import TriedSetting, suggest_setting
from lcl_lab.sweeps.search_config import HELD_OUT_ACCURACY
from lcl_lab.sweeps.trial import Trial

if TYPE_CHECKING:
    from lcl_lab.sweeps.search_metric import SearchMetric
    from lcl_lab.sweeps.sweep_config import SweepConfig

__all__ = ["SUGGESTED", "SuggestedBefore", "Suggester"]

SUGGESTED = "suggested"
"""Status of a trial in the note that says that it will run; its details are its setting."""


@dataclass(frozen=True)
class SuggestedBefore:
    """A search so far.

    Attributes:
        metric: its metric.
        trials: the trials that were suggested, in order, each with what came of it.
    """

    metric: SearchMetric | None
    trials: Sequence[tuple[Trial, TriedSetting]]


class Suggester(tune.search.Searcher):
    """Suggests the trials of a sweep: first those that were suggested before and have not finished.

    With several strategies, models or seeds, each combination is a search by itself, and they take turns.

    Args:
        config: the sweep.
        before: the search so far.
        most: how many run at once.
        note: receives each new trial before it runs.
    """

    def __init__(self, config: SweepConfig, before: SuggestedBefore, most: int, note: Note) -> None:
        super().__init__(metric="value", mode="max")
        assert config.search is not None
        self._config, self._search, self._most, self._note = config, config.search, most, note
        self._space = config.space
        self._tried: list[list[TriedSetting]] = [[] for _ in config.trials_with([self._space.probes()[0]])]
        self._remaining: list[tuple[int, TriedSetting]] = []
        self._running: dict[str, TriedSetting] = {}
        for trial, tried in before.trials:
            number = self._number(trial)
            self._tried[number].append(tried)
            if tried.state == "running":
                self._remaining.append((number, tried))

    @property
    def remaining(self) -> int:
        """The number of trials that have not finished, of those suggested before and those to come."""
        new = sum(max(0, (self._search.trials or 0) - len(among)) for among in self._tried)
        return len(self._remaining) + new

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune pickles its search algorithm with an experiment; nothing reads that."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """The parameters of the next trial; None while enough run, FINISHED after the last one."""
        if len(self._running) >= self._most:
            return None
        if self._remaining:
            number, tried = self._remaining.pop(0)
        else:
            number = min(range(len(self._tried)), key=lambda one: len(self._tried[one]))
            among = self._tried[number]
            if len(among) >= (self._search.trials or 0):
                return tune.search.Searcher.FINISHED
            setting = suggest_setting(self._space, among, self._search.seed, self._search.mode)
            if setting is None:
                return tune.search.Searcher.FINISHED
            tried = TriedSetting(setting)
            among.append(tried)
            trial = self._trial(number, tried)
            self._note(trial.name, SUGGESTED, {"setting": dict(setting), "number": number})
        self._running[trial_id] = tried
        return {"trial": self._trial(number, tried).parameters, "number": number, "setting": dict(tried.setting)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Remember intermediate values, which a trial that is stopped early is judged by."""
        if self._search.metric == HELD_OUT_ACCURACY and "accuracy" in result and "step" in result:
            self._running[trial_id].steps[int(result["step"])] = float(result["accuracy"])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """The trial has finished, was stopped early, or failed; the value of a finished one may be undefined."""
        tried = self._running.pop(trial_id)
        reported = result or {}
        tried.state = "failed" if error else "finished" if "value" in reported else "stopped"
        tried.value = reported.get("value")

    def save(self, checkpoint_path: str) -> None:
        """Store nothing: the trials are stored in the folder of the sweep."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Store nothing."""

    def _number(self, trial: Trial) -> int:
        names = [one.name for one in self._config.trials_with([trial.setting])]
        return names.index(trial.name)

    def _trial(self, number: int, tried: TriedSetting) -> Trial:
        return self._config.trials_with([tried.setting])[number]
