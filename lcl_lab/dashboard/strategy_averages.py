"""Trainings that differ only in their seed, as one strategy that is averaged over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lcl_lab import studies
from lcl_lab.dashboard.record_loading import load_records
from lcl_lab.dashboard.run_index import RunGroup, Source
from lcl_lab.dashboard.sweep_trials import SweepTrial
from lcl_lab.reporting import Section

__all__ = ["averaged_section", "counted", "repeated_strategies"]


def repeated_strategies(group: RunGroup, trainings: Mapping[tuple[str, str], SweepTrial]) -> dict[str, list[str]]:
    """The models of each strategy with several trainings in one sweep, by the name of the strategy.

    Args:
        group: runs of one study and design.
        trainings: of `trainings_by_run`.
    """
    grouped: dict[tuple[str, str], dict[str, None]] = {}
    for source in group.sources:
        trial = trainings.get((source.run.run, source.model))
        if trial:
            grouped.setdefault((trial.combination, trial.sweep), {})[source.model] = None
    repeated = {key: list(members) for key, members in grouped.items() if len(members) > 1}
    names = [name for name, _ in repeated]
    return {
        f"{name} of {sweep}" if names.count(name) > 1 else name: members for (name, sweep), members in repeated.items()
    }


def counted(name: str, members: Sequence[str]) -> str:
    """A strategy as it is offered and labelled: with the number of its trainings."""
    return f"{name} ({len(members)} trainings)"


def averaged_section(strategies: Mapping[str, Sequence[str]], sources: Sequence[Source]) -> Section:
    """Accuracy of each strategy under each condition over its trainings, and a test of every pair of strategies.

    Args:
        strategies: some of `repeated_strategies`.
        sources: the answers of their models.
    """
    records, seed = load_records(sources), sources[0].seed
    return studies.strategy_section("Over trainings", records, strategies, seed, "over-trainings")
