"""Runs a sweep on this machine or on a cluster, and resumes one that was killed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from lcl_lab.atomic import reporting_os_errors
from lcl_lab.config import Config
from lcl_lab.errors import UserError
from lcl_lab.file_locks import locked
from lcl_lab.safe_console import SafeConsole
from lcl_lab.studies.study import Study
from lcl_lab.sweeps.cluster import connected
from lcl_lab.sweeps.experiment import create_loggers, run_trials
from lcl_lab.sweeps.monitor import STARTING, SweepMonitor
from lcl_lab.sweeps.storage import Storage
from lcl_lab.sweeps.stored_search import store_search, update_mark
from lcl_lab.sweeps.suggested_trials import SuggestedTrials
from lcl_lab.sweeps.suggester import SUGGESTED
from lcl_lab.sweeps.sweep_config import SweepConfig, errors_in_file
from lcl_lab.sweeps.sweep_paths import SweepPaths
from lcl_lab.sweeps.sweep_report import write_sweep_report
from lcl_lab.sweeps.sweep_result import SweepResult
from lcl_lab.sweeps.trial import Trial, check_sweep, search_metric
from lcl_lab.sweeps.trial_resources import needs_one_node, trial_bundles
from lcl_lab.sweeps.trial_worker import fetch_trial

__all__ = ["run_sweep"]


def run_sweep(config: SweepConfig | str | Path | None = None, *, verbose: bool = False, **options: Any) -> SweepResult:
    """Run a sweep, or resume it: trials that have finished are not run again.

    A live table of the trials is shown on standard error. The folder of the sweep gets a report, which is written again
    whenever the sweep is.

    Args:
        config: the options, or a YAML file; None builds them from `options`.
        verbose: print the folder of the sweep.
        **options: fields of `SweepConfig`, such as ``strategies=["2-way", "mix"], seeds=[0, 1]``; they take
            precedence over those of `config`.

    Returns:
        The trials as a table, and the records of all their runs.

    Raises:
        UserError: an option is wrong, no cluster answers, a trial does not fit on a node, another process runs the
            sweep, or trials failed after all retries.
    """
    sweep, trials = _configure(config, options)
    paths = SweepPaths.of(sweep.name, sweep.results)
    storage = Storage(sweep.storage, sweep.name) if sweep.storage else None
    suggested = SuggestedTrials(sweep, search_metric(sweep), paths.folder) if sweep.is_suggested else None
    failed = _drive(sweep, trials, paths, storage, suggested)
    trials = suggested.read() if suggested else trials
    result = SweepResult.read(trials, paths, storage, failed)
    result = replace(result, report=write_sweep_report(sweep, trials, result, _command(config, sweep, options)))
    if verbose:
        SafeConsole().print(str(paths.folder), soft_wrap=True, highlight=False, markup=False)
    if failed:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise UserError(f"{len(failed)} trials failed; run the sweep again to retry them: {reasons}")
    return result


def _configure(
    config: SweepConfig | str | Path | None, options: Mapping[str, Any]
) -> tuple[SweepConfig, Sequence[Trial]]:
    if isinstance(config, str | Path):
        sweep = SweepConfig.from_file(config, **options)
        with errors_in_file(Path(config), options):
            return sweep, check_sweep(sweep)
    fields_set = {name: getattr(config, name) for name in config.model_fields_set} if config else {}
    sweep = SweepConfig.create(**{**fields_set, **options}) if options or config is None else config
    return sweep, check_sweep(sweep)


def _command(config: SweepConfig | str | Path | None, sweep: SweepConfig, options: Mapping[str, Any]) -> Sequence[str]:
    """What runs the sweep again: a command if it has a file, or a Python expression."""
    if isinstance(config, str | Path):
        words = [(f"--{name.replace('_', '-')}", value) for name, value in options.items()]
        return ["lcl", "sweep", str(config), *chain.from_iterable((name, *_words(value)) for name, value in words)]
    values = {name: getattr(sweep, name) for name in SweepConfig.model_fields if name in sweep.model_fields_set}
    return [f"lcl_lab.run_sweep(**{json.dumps(values, default=_as_json)})"]


def _words(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]


def _as_json(value: object) -> object:
    """A study, a path or another configuration as a JSON value."""
    if isinstance(value, Study):
        return value.name
    return value.model_dump(mode="json") if isinstance(value, Config) else str(value)


def _drive(
    config: SweepConfig,
    trials: Sequence[Trial],
    paths: SweepPaths,
    storage: Storage | None,
    suggested: SuggestedTrials | None,
) -> Mapping[str, str]:
    """Run the trials that have not finished; returns why trials failed, by name.

    Without `storage` workers share the folders of `paths`; with it, their runs are copied there. A search by Optuna
    begins with the trials that were suggested before.
    """
    with reporting_os_errors("create", paths.folder):
        paths.folder.mkdir(parents=True, exist_ok=True)
    running = f"{paths.folder}: another process runs this sweep; wait for it or stop it"
    with locked(paths.folder / "sweep.lock", running), storage.claimed() if storage else nullcontext():
        trials = suggested.read() if suggested else trials
        if storage:
            for trial in trials:
                if not paths.is_finished(trial.name, trial.options):
                    fetch_trial(trial, storage, paths)
        for trial in trials:
            update_mark(trial, paths)
        store_search(config, [trial.name for trial in trials], paths)
        if len(trials) >= config.count and all(paths.is_finished(trial.name, trial.options) for trial in trials):
            return {}
        create_loggers(config, paths.folder)  # fails here rather than after the cluster has started
        with connected(config, len(trial_bundles(config)), needs_one_node(config)):
            return _run(config, trials, paths, storage, suggested)


def _run(
    config: SweepConfig,
    trials: Sequence[Trial],
    paths: SweepPaths,
    storage: Storage | None,
    suggested: SuggestedTrials | None,
) -> Mapping[str, str]:
    by_name = {trial.name: trial for trial in trials}
    done = [trial.name for trial in trials if paths.is_finished(trial.name, trial.options)]
    finished = {name: paths.read_mark(name) for name in done}

    unfetched: dict[str, dict[str, Any]] = {}

    def ended(name: str, last: dict[str, Any]) -> bool:
        """Whether a trial that ended without an error finished; one that was stopped early is marked here.

        A storage that fails now may answer later. To Ray, which calls this, the error would be one of the trial.
        """
        try:
            return conclude(name, last)
        except UserError:
            unfetched[name] = last
            return True

    def conclude(name: str, last: dict[str, Any]) -> bool:
        if storage:
            fetch_trial(by_name[name], storage, paths)
        options = by_name[name].options
        if paths.is_finished(name, options) or config.stopping is None:
            return True
        setting = {"setting": by_name[name].setting} if by_name[name].setting else {}
        paths.finish(name, options=options, stopped=last, **setting)
        return False

    def note(name: str, status: str, details: dict[str, Any]) -> None:
        if suggested and status == SUGGESTED:
            by_name[name] = suggested.add(**details)
            store_search(config, by_name, paths)
            monitor.note(name, "waiting", {})
        else:
            monitor.note(name, status, details)

    stages = [STARTING, *(trials or config.probes())[0].stages]
    before = suggested.before(trials, paths) if suggested else None
    with SweepMonitor(paths.folder, list(by_name), finished, stages, ended, config.count) as monitor:
        try:
            remaining = [trial for trial in trials if trial.name not in finished]
            run_trials(config, remaining, paths, storage, note, before)
        except (OSError, EOFError) as error:  # Ray's own files, on a full disk; the trials' reasons say so
            if not monitor.failed:
                reason = getattr(error, "strerror", None) or " ".join(str(error).split())
                where = storage.url if storage else paths.folder
                raise UserError(f"{where}: Ray cannot use its files: {reason}; run the sweep again") from error
    failed = dict(monitor.failed)
    for name, last in unfetched.items():
        try:
            conclude(name, last)
        except UserError as error:
            failed[name] = str(error)
    return failed
