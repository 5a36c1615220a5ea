"""The report of a sweep: its trials, and what the runs of all of them say together, as report.md and report.html."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from lcl_lab import reporting, store, studies
from lcl_lab.safe_console import SafeConsole
from lcl_lab.sweeps.sweep_config import SweepConfig
from lcl_lab.sweeps.sweep_result import SweepResult
from lcl_lab.sweeps.trial import EvaluationTrial, TrainingTrial, Trial

__all__ = ["write_sweep_report"]

_UNITS = ("B", "KiB", "MiB", "GiB")


def write_sweep_report(
    config: SweepConfig, trials: Sequence[Trial], result: SweepResult, command: Sequence[str]
) -> Path | None:
    """Write the report of a sweep into its folder.

    Args:
        config: the options of the sweep.
        trials: its trials.
        result: their states.
        command: what runs the sweep again, program first.

    Returns:
        The HTML page; None if it could not be written, which is said on standard error.
    """
    try:
        return _write(config, trials, result, command)
    except Exception as error:  # whatever fails here, the sweep has its results, and the report can be written again
        reason = f"the report of the sweep could not be written: {type(error).__name__}: {error}"
        console = SafeConsole(stderr=True)
        console.print(" ".join(reason.split()), soft_wrap=True, highlight=False, markup=False)
        return None


def _write(config: SweepConfig, trials: Sequence[Trial], result: SweepResult, command: Sequence[str]) -> Path:
    links: set[str] = set()
    table = reporting.Table("State, cost and files of each trial", _trial_rows(result, links))
    search = studies.read_search(result.path) if config.searched else None
    sections = [
        reporting.Section("What was run", list(_setting(config, trials, result))),
        *(studies.search_sections(search) if search else ()),
        reporting.Section("Trials", tables=[table]),
        *studies.trial_sections(
            _evaluated(_compared(trials, search), result), ", with the best options" if search else ""
        ),
    ]
    findings = reporting.Findings(f"Sweep {config.name}", sections)
    device = ", ".join(map(str, result.trials["device"].dropna().unique())) or "none"
    provenance = store.collect({"sweep": config.name}, config.seeds, device, _seconds(result), command)
    reporting.write_report(result.path, findings, "", provenance, links)
    return result.path / "report.html"


def _setting(config: SweepConfig, trials: Sequence[Trial], result: SweepResult) -> Iterator[reporting.Statement]:
    """What the trials are, and what became of them."""
    lists: dict[str, Sequence[object]] = {
        "strategies": config.strategies,
        "models": config.models,
        "datasets": config.data,
        "seeds": config.seeds,
        "studies": studies.numbered_studies([study.name for study, _ in trials[0].evaluations]),
        "options with ranges": [option.name for option in config.space.options],
    }
    for name, values in lists.items():
        if values:
            listed = ", ".join(f"`{value}`" for value in values)
            yield reporting.Statement("{name}: {values}", {"name": name.capitalize(), "values": listed})
    counts = ", ".join(f"{count} {status}" for status, count in result.trials["status"].value_counts().items())
    yield reporting.Statement(
        "{trials} trials: {counts}; together they took {seconds:,.0f} s",
        {"trials": len(trials), "counts": counts, "seconds": _seconds(result)},
    )


def _seconds(result: SweepResult) -> float:
    """The time of all trials together."""
    return float(result.trials["seconds"].astype(float).sum())


def _trial_rows(result: SweepResult, links: set[str]) -> pd.DataFrame:
    """One row of text per trial, without the columns that are empty; adds the addresses of its links to `links`."""

    def link(text: str, path: Path) -> str:
        address = quote(Path(relpath(path, result.path)).as_posix())
        links.add(address)
        return f"[{text}]({address})"

    rows = []
    for trial in result.trials.to_dict("records"):
        known = {str(name): value for name, value in trial.items() if isinstance(value, list | dict) or pd.notna(value)}
        model, runs = str(known.get("model", "")), [result.results / run for run in known["runs"]]
        rows.append(
            {
                "trial": known["trial"],
                "strategy": known.get("strategy", ""),
                "data": known.get("data", ""),
                "seed": known["seed"],
                "options": reporting.format_condition(known["setting"]) if known.get("setting") else "",
                "status": known["status"],
                "steps": f"{known['steps']:,.0f}" if "steps" in known else "",
                "held-out accuracy": reporting.format_number(known["accuracy"], ".3f") if "accuracy" in known else "",
                "seconds": f"{known['seconds']:,.1f}" if "seconds" in known else "",
                "device": known.get("device", ""),
                "peak memory": _size(known.get("memory")),
                "peak GPU memory": _size(known.get("gpu_memory")),
                "model": link(Path(model).name, Path(model)) if Path(model).is_absolute() else model,
                "runs": ", ".join(link(f"{run.parent.name}/{run.name}", run / "report.html") for run in runs),
                "reason": known.get("reason", ""),
            }
        )
    frame = pd.DataFrame(rows)
    return frame.loc[:, [column for column in frame if frame[column].ne("").any()]]


def _compared(trials: Sequence[Trial], search: studies.SearchResults | None) -> Sequence[Trial]:
    """The trials that studies are reported of: of a search only those with the best setting.

    Trainings with different options are no sample of trainings of one strategy.
    """
    best = search.best[:1] if search else []
    settings = [trial.setting for trial in trials if trial.name in best] or [trials[0].setting]
    return [trial for trial in trials if trial.setting == settings[0]]


def _evaluated(trials: Sequence[Trial], result: SweepResult) -> list[studies.EvaluatedTrial]:
    """Those of the trials that have finished, with their runs."""
    runs = dict(zip(result.trials["trial"], result.trials["runs"], strict=True))
    return [
        studies.EvaluatedTrial(
            trial.recorded_as,
            tuple(result.results / run for run in runs[trial.name]),
            trial.varied.get("strategy", "") if isinstance(trial, TrainingTrial) else "",
            trial.data if isinstance(trial, EvaluationTrial) else "",
        )
        for trial in trials
        if runs[trial.name]
    ]


def _size(count: Any) -> str:
    """Bytes in the unit that people read; empty where they are not known."""
    if count is None:
        return ""
    number = float(count)
    for unit in _UNITS[:-1]:
        if number < 1024:
            return f"{number:.0f} {unit}"
        number /= 1024
    return f"{number:.1f} {_UNITS[-1]}"
