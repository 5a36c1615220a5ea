"""What a sweep has found so far, as its report says it, and what its trials have cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lcl_lab import store, studies
from lcl_lab.dashboard.sweep_trials import SweepTrial
from lcl_lab.reporting import Findings, Section, Statement, Table, format_condition

__all__ = ["cost_section", "sweep_findings", "trial_table"]

_MIB = 2**20


def sweep_findings(folder: Path, trials: Sequence[SweepTrial], runs: Mapping[str, store.RunInfo]) -> Findings:
    """The findings of a sweep's report: of a search, its best trial and options; and what each study says.

    Args:
        folder: the folder of the sweep.
        trials: its finished trials.
        runs: the readable runs by name; trials with others are left out.

    Raises:
        UserError: a run cannot be read.
    """
    search = studies.read_search(folder)
    sections = list(studies.search_sections(search)) if search else []
    compared = _compared(trials, search)
    evaluated = [_evaluated(trial, runs) for trial in compared if trial.runs and set(trial.runs) <= set(runs)]
    sections += studies.trial_sections(evaluated, ", with the best options" if search else "")
    return Findings(folder.name, sections)


def trial_table(states: pd.DataFrame, trials: Sequence[SweepTrial]) -> Table:
    """One row per trial: its state, and, once it has finished, its options and its cost.

    Args:
        states: of `trial_states`.
        trials: the finished trials.
    """
    costs = {trial.name: _cost(trial) for trial in trials}
    rows = [{**row, **costs.get(row["trial"], {})} for row in states.to_dict(orient="records")]
    rows += [{"trial": trial.name, "status": "finished", **costs[trial.name]} for trial in _unlogged(states, trials)]
    frame = pd.DataFrame(rows, columns=None if rows else ["trial", "status"])
    empty = [name for name in frame.columns if frame[name].isna().all() or (frame[name] == "").all()]
    return Table("Trials", frame.drop(columns=empty))


def cost_section(trials: Sequence[SweepTrial]) -> Section:
    """The time and memory that finished trials took, by strategy; without these, of all together."""
    known = [trial for trial in trials if trial.seconds is not None]
    grouped: dict[str, list[SweepTrial]] = {}
    for trial in known:
        grouped.setdefault(trial.strategy or "all trials", []).append(trial)
    rows = [
        {
            "strategy": strategy,
            "trials": len(members),
            "seconds": round(sum(trial.seconds or 0.0 for trial in members)),
            "seconds per trial": round(sum(trial.seconds or 0.0 for trial in members) / len(members)),
            "peak memory (MiB)": round(max(trial.memory or 0.0 for trial in members) / _MIB),
            "peak GPU memory (MiB)": round(max(trial.gpu_memory or 0.0 for trial in members) / _MIB),
            "device": ", ".join(dict.fromkeys(trial.device for trial in members if trial.device)),
        }
        for strategy, members in grouped.items()
    ]
    frame = Table.from_rows("", rows).frame
    if rows and not frame["peak GPU memory (MiB)"].any():
        frame = frame.drop(columns="peak GPU memory (MiB)")
    total = {"trials": len(known), "seconds": sum(trial.seconds or 0.0 for trial in known)}
    statement = Statement("{trials:,} finished trials took {seconds:,.0f} s together.", total)
    tables = [Table("Time and memory by strategy", frame)] if rows else []
    return Section("Cost", [statement], name="cost", tables=tables)


def _compared(trials: Sequence[SweepTrial], search: studies.SearchResults | None) -> list[SweepTrial]:
    """The trials that studies are reported of: of a search only those with the best setting."""
    if search is None:
        return list(trials)
    best = [trial.setting for trial in trials if trial.name in search.best[:1]]
    return [trial for trial in trials if [trial.setting] == best]


def _evaluated(trial: SweepTrial, runs: Mapping[str, store.RunInfo]) -> studies.EvaluatedTrial:
    infos = [runs[name] for name in trial.runs]
    model = trial.name if trial.strategy else str(infos[0].config["models"][0]["name"])
    return studies.EvaluatedTrial(model, tuple(info.path for info in infos), trial.strategy)


def _unlogged(states: pd.DataFrame, trials: Sequence[SweepTrial]) -> Iterator[SweepTrial]:
    """Trials that had finished before the events that are logged."""
    logged = set(states["trial"])
    yield from (trial for trial in trials if trial.name not in logged)


def _cost(trial: SweepTrial) -> dict[str, Any]:
    return {
        "options": format_condition(trial.setting),
        "seconds": trial.seconds,
        "device": trial.device or "",
        "peak memory (MiB)": None if trial.memory is None else round(trial.memory / _MIB),
        "peak GPU memory (MiB)": None if trial.gpu_memory is None else round(trial.gpu_memory / _MIB),
    }
