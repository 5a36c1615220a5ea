"""The trials that a search by Optuna has suggested, in a file of the sweep, so that a killed search continues them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.atomic import canonical_json, parse_json, reporting_os_errors
from lcl_lab.studies.study import Study
from lcl_lab.sweeps.optuna_suggestion import TriedSetting
from lcl_lab.sweeps.search_config import HELD_OUT_ACCURACY
from lcl_lab.sweeps.suggester import SuggestedBefore
from lcl_lab.sweeps.trial import Trial, check_trials

if TYPE_CHECKING:
    from lcl_lab.sweeps.search_metric import SearchMetric
    from lcl_lab.sweeps.search_space import Setting
    from lcl_lab.sweeps.sweep_config import SweepConfig
    from lcl_lab.sweeps.sweep_paths import SweepPaths

__all__ = ["SuggestedTrials", "suggested_trial"]

_FILE = "suggestions.jsonl"


class SuggestedTrials:
    """The suggested trials of a search, in order.

    Suggestions of a search with other options, ranges, seed or metric are left out: they were made from other results.

    Args:
        config: the options of the sweep.
        metric: the metric of its search.
        folder: the folder of the sweep.
    """

    def __init__(self, config: SweepConfig, metric: SearchMetric | None, folder: Path) -> None:
        self._config, self._metric, self._file = config, metric, folder / _FILE
        self._search = _search_digest(config)

    def read(self) -> list[Trial]:
        """The trials that are stored, without those of strategies, models and seeds that the sweep has no more.

        Raises:
            UserError: the file cannot be read.
        """
        trials: dict[str, Trial] = {}
        for line in self._lines():
            by_name = {trial.name: trial for trial in self._config.trials_with([line["setting"]])}
            if line["trial"] in by_name:
                trials[line["trial"]] = by_name[line["trial"]]
        # Trainings were checked when they were suggested; trials of models lack the identities of models and data.
        stored = list(trials.values()) if self._config.strategies else check_trials(list(trials.values()))
        return [replace(trial, metric=self._metric) for trial in stored]

    def add(self, number: int, setting: Setting) -> Trial:
        """Store a trial before it runs.

        Args:
            number: of its strategy or model, and seed.
            setting: the values that were suggested.

        Raises:
            UserError: the file cannot be written.
        """
        trial = suggested_trial(self._config, self._metric, number, setting)
        line = {"search": self._search, "trial": trial.name, "setting": trial.setting}
        with reporting_os_errors("write", self._file), self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return trial

    def before(self, trials: Sequence[Trial], paths: SweepPaths) -> SuggestedBefore:
        """What came of stored trials; those that have not finished run again."""
        return SuggestedBefore(self._metric, [(trial, self._tried(trial, paths)) for trial in trials])

    def _tried(self, trial: Trial, paths: SweepPaths) -> TriedSetting:
        if not paths.is_finished(trial.name, trial.options):
            return TriedSetting(trial.setting)
        mark = paths.read_mark(trial.name)
        stopped = mark.get("stopped")
        if not stopped:
            return TriedSetting(trial.setting, "finished", mark.get("value"))
        of_metric = self._metric is not None and self._metric.name == HELD_OUT_ACCURACY and stopped.get("step")
        steps = {int(stopped["step"]): float(stopped["accuracy"])} if of_metric else {}
        return TriedSetting(trial.setting, "stopped", steps=steps)

    def _lines(self) -> Iterator[Mapping[str, Any]]:
        if not self._file.is_file():
            return
        with reporting_os_errors("read", self._file):
            lines = self._file.read_text(encoding="utf-8", errors="replace").splitlines()
        names = {option.name for option in self._config.space.options}
        for text in lines:
            try:
                line = parse_json(text)
            except ValueError:  # a line that was being written when the driver was killed
                continue
            if isinstance(line, dict) and line.get("search") == self._search and names == set(line.get("setting", {})):
                yield line


def suggested_trial(config: SweepConfig, metric: SearchMetric | None, number: int, setting: Setting) -> Trial:
    """The trial of a setting.

    Args:
        config: the options of the sweep.
        metric: the metric of its search.
        number: of its strategy or model, and seed.
        setting: the values of options with ranges.
    """
    (trial,) = check_trials([config.trials_with([setting])[number]])
    return replace(trial, metric=metric)


def _search_digest(config: SweepConfig) -> str:
    """16 hex digits over what suggestions depend on, besides results."""
    search = config.search.model_dump(exclude={"trials"}) if config.search else {}
    studies = [
        {key: value.name if isinstance(value, Study) else value for key, value in options.items()}
        for options in config.studies
    ]
    content = {"search": search, "train": dict(config.train), "studies": studies}
    return blake2b(canonical_json(json.loads(json.dumps(content, default=str))).encode(), digest_size=8).hexdigest()
