"""The sides of a comparison: a model, a training strategy over its training seeds, or a model in an older run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from string import ascii_uppercase
from typing import Any

import pandas as pd

from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import RunGroup, Source
from lcl_lab.dashboard.strategy_averages import counted, repeated_strategies
from lcl_lab.dashboard.sweep_trials import SweepTrial
from lcl_lab.reporting import format_condition
from lcl_lab.store import FIXED

__all__ = ["CONDITION", "LETTER", "REFERENCE", "Side", "find_sides", "labels_of", "shared_sources", "side_records"]

LETTER, CONDITION = "run", "filename"
"""The columns with the letter of a side and the name of a condition: names that no condition column can have."""
REFERENCE = "A"
"""The letter of the side that the others are compared with."""
_ALL_QUERIES = "all queries"  # the condition where there is only one


@dataclass(frozen=True)
class Side:
    """What is compared with others: one model, or several trainings of one strategy.

    Attributes:
        name: as it is shown, without its letter; unique among the sides of a group.
        sources: the answers of every training under every study seed.
    """

    name: str
    sources: tuple[Source, ...]

    @cached_property
    def trainings(self) -> list[str]:
        """The models, each once; several where a strategy is averaged over its training seeds."""
        return list(dict.fromkeys(source.model for source in self.sources))

    @cached_property
    def seeds(self) -> list[int]:
        """The study seeds, each once; sides with the same seed have the same queries."""
        return list(dict.fromkeys(source.seed for source in self.sources))

    @cached_property
    def keys(self) -> frozenset[tuple[str, str]]:
        """Run and model of each source."""
        return frozenset(map(_key, self.sources))

    def source(self, model: str, seed: int) -> Source:
        """The source of a record."""
        return next(one for one in self.sources if (one.model, one.seed) == (model, seed))


def find_sides(group: RunGroup, trainings: Mapping[tuple[str, str], SweepTrial]) -> list[Side]:
    """Everything in a group that can be compared.

    First the models by their newest runs, averaged over study seeds, where several trainings of a strategy are one
    side; then the single trainings of these strategies; then models in older runs.

    Args:
        group: runs of one study and design.
        trainings: of `trainings_by_run`.
    """
    by_model: dict[str, list[Source]] = {}
    for source in group.sources:
        by_model.setdefault(source.model, []).append(source)
    strategies = repeated_strategies(group, trainings)
    averaged = {model for members in strategies.values() for model in members}
    sides = [
        Side(counted(name, members), tuple(source for model in members for source in by_model[model]))
        for name, members in strategies.items()
    ]
    sides += [Side(model, tuple(sources)) for model, sources in by_model.items() if model not in averaged]
    newest = [_key(source) for source in group.sources]
    sides.sort(key=lambda side: newest.index(_key(side.sources[0])))
    sides += [Side(model, tuple(by_model[model])) for model in by_model if model in averaged]
    older = [source for source in group.all_sources if _key(source) not in newest]
    return [*sides, *(Side(f"{s.model}, seed {s.seed}, {s.run.path.name}", (s,)) for s in older)]


def labels_of(sides: Sequence[Side]) -> dict[str, str]:
    """The label of each side by its letter, such as ``"B: mini/2-way"``; the reference is A."""
    return {letter: f"{letter}: {side.name}" for letter, side in zip(ascii_uppercase, sides, strict=False)}


def shared_sources(a: Side, b: Side) -> Iterator[tuple[Source, Source]]:
    """Sources of two sides with the same queries, one pair per study seed."""
    for seed in a.seeds:
        pair = [next((one for one in side.sources if one.seed == seed), None) for side in (a, b)]
        if pair[0] is not None and pair[1] is not None:
            yield pair[0], pair[1]


def side_records(sides: Sequence[Side]) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """The records of all sides, and the conditions that they were answered under.

    Args:
        sides: the reference and the others.

    Returns:
        The records, with the letter of the side in the column `LETTER` and the name of the condition in `CONDITION`,
        whose categories are in order; a query is identified by its seed and number, a training by the model. And the
        values of each condition by its name, in the columns that have several values and without null values.
    """
    frames = [
        load_records([source]).drop(columns="support", errors="ignore").assign(**{LETTER: letter})
        for letter, side in zip(ascii_uppercase, sides, strict=False)
        for source in side.sources
    ]
    records = pd.concat(frames, ignore_index=True)
    columns = [column for column in records.columns if column not in (*FIXED, LETTER)]
    varying = [column for column in columns if records[column].nunique(dropna=False) > 1]
    if not varying:
        return records.assign(**{CONDITION: pd.Categorical([_ALL_QUERIES] * len(records))}), {_ALL_QUERIES: {}}
    codes = records.groupby(varying, dropna=False, sort=True).ngroup()
    is_first = ~codes.duplicated()
    values = records.loc[is_first, varying].set_axis(codes[is_first]).sort_index().to_dict("records")
    conditions = [{str(name): value for name, value in row.items() if pd.notna(value)} for row in values]
    names = [format_condition(condition) or _ALL_QUERIES for condition in conditions]
    if len(set(names)) < len(names):  # numbers that differ only in digits that are not shown
        names = [f"{name}, number {number + 1}" for number, name in enumerate(names)]
    named = dict(zip(names, conditions, strict=True))
    return records.assign(**{CONDITION: pd.Categorical.from_codes(codes, pd.Index(list(named)))}), named


def _key(source: Source) -> tuple[str, str]:
    return source.run.run, source.model
