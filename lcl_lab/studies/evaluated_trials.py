"""What each study of a sweep says about its finished trials, for the report of the sweep and for the dashboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lcl_lab import analysis, store
from lcl_lab.studies.sweep_sections import model_section, strategy_section

if TYPE_CHECKING:
    import pandas as pd

    from lcl_lab.reporting import Section

__all__ = ["EvaluatedTrial", "numbered_studies", "trial_sections"]


@dataclass(frozen=True)
class EvaluatedTrial:
    """A trial whose model has answered.

    Attributes:
        model: the name of its model in records.
        runs: the run directories, one per study, in the same order for all trials of a sweep.
        strategy: what the model was trained with; empty where nothing was trained.
        data: the dataset as the sweep names it; empty for the name in records.
    """

    model: str
    runs: tuple[Path, ...]
    strategy: str = ""
    data: str = ""


def trial_sections(trials: Sequence[EvaluatedTrial], note: str = "") -> Iterator[Section]:
    """One section per study: accuracy by strategy over training seeds, or by model and dataset.

    Args:
        trials: finished trials of one sweep, with the same options except for strategy or model, data and seed.
        note: ends each heading.

    Raises:
        UserError: a run cannot be read.
    """
    for number, study in enumerate(numbered_studies([run.parent.name for run in trials[0].runs]) if trials else ()):
        records = analysis.concat_estimates([_records(trial, trial.runs[number]) for trial in trials])
        if records.empty:
            continue
        heading, name, seed = f"{study}{note}", f"accuracy-{number + 1}", int(records["seed"].iloc[0])
        if trials[0].strategy:
            yield strategy_section(heading, records, _strategies(trials), seed, name)
        else:
            yield model_section(heading, records, [trial.model for trial in trials], seed, name)


def numbered_studies(names: Sequence[str]) -> list[str]:
    """The names of studies, numbered where one occurs several times."""
    counts, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name}, {seen[name]} of {counts[name]}" if counts[name] > 1 else name)
    return numbered


def _records(trial: EvaluatedTrial, run: Path) -> pd.DataFrame:
    """The records of a trial's own model, with the dataset under the name that the sweep has for it."""
    records = store.read_run(run)
    of_model = records[records["model"] == trial.model]
    return of_model.assign(data=trial.data) if trial.data else of_model


def _strategies(trials: Sequence[EvaluatedTrial]) -> Mapping[str, Sequence[str]]:
    grouped: dict[str, list[str]] = {}
    for trial in trials:
        grouped.setdefault(trial.strategy, []).append(trial.model)
    return grouped
