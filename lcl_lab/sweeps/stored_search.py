"""What a sweep searches, as a file in its folder, and the metric in the marks of its finished trials."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab import studies
from lcl_lab.atomic import write_json
from lcl_lab.errors import UserError
from lcl_lab.sweeps.search_metric import SearchMetric
from lcl_lab.sweeps.trial import Trial

if TYPE_CHECKING:
    from lcl_lab.sweeps.sweep_config import SweepConfig
    from lcl_lab.sweeps.sweep_paths import SweepPaths

__all__ = ["store_search", "update_mark"]


def store_search(config: SweepConfig, names: Iterable[str], paths: SweepPaths) -> None:
    """Write what the sweep searches, for those who watch it.

    Args:
        config: the options of the sweep.
        names: its trials so far.
        paths: where its files are.

    Raises:
        UserError: the file cannot be written.
    """
    if config.searched:
        options = [
            {"name": option.name, "kind": option.range.kind, "values": list(option.range.values)}
            for option in config.space.options
        ]
        search = {"metric": config.searched.metric, "mode": config.searched.mode, "options": options}
        write_json(paths.folder / studies.SEARCH_FILE, {**search, "trials": list(names)})


def update_mark(trial: Trial, paths: SweepPaths) -> None:
    """Give a finished trial the metric of the search, if it finished with another or none.

    Raises:
        UserError: the mark cannot be written.
    """
    if trial.metric is None or not paths.is_finished(trial.name, trial.options):
        return
    mark = paths.read_mark(trial.name)
    if "stopped" not in mark and mark.get("metric") != trial.metric.name:
        value = _value(trial.metric, trial, mark, paths.results)
        facts = {key: value for key, value in mark.items() if key != "trial"}
        paths.finish(trial.name, **{**facts, "setting": trial.setting, "metric": trial.metric.name, "value": value})


def _value(metric: SearchMetric, trial: Trial, mark: dict[str, Any], results: Path) -> float | None:
    """The metric of a finished trial from its runs."""
    if metric.study is None:
        return mark.get("accuracy")
    try:
        estimates = studies.read_result(results / mark["runs"][metric.study]).estimates
    except (UserError, LookupError):  # the run was deleted, or its files are damaged
        return None
    return metric.of_estimates(estimates, trial.recorded_as)
