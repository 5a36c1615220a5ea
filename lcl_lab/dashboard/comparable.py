"""Which sides can be compared: those that answered the same queries under a common condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import RunGroup, RunIndex, Source
from lcl_lab.dashboard.sides import Side, find_sides, shared_sources
from lcl_lab.dashboard.sweep_trials import SweepTrial
from lcl_lab.store import FIXED, quoted_names

__all__ = ["comparable_with", "first_comparable", "reference_first"]

Trainings = Mapping[tuple[str, str], SweepTrial]
_Conditions = frozenset[tuple[object, ...]]
_AT_A_GLANCE = 30  # conditions
_NOT_CONDITIONS = (*FIXED, "run", "filename")


def first_comparable(index: RunIndex, trainings: Trainings) -> RunGroup | None:
    """The first group that has two sides with answers to the same queries; None if there is none.

    A group with more conditions than can be read at a glance comes after those with fewer.
    """
    groups = (group for study in index.studies for group in index.groups_of(study))
    comparable = (group for group in groups if _has_comparable(find_sides(group, trainings)))
    later = []
    for group in comparable:
        if len(_conditions(group.sources[0])) <= _AT_A_GLANCE:
            return group
        later.append(group)
    return later[0] if later else None


def reference_first(sides: Sequence[Side]) -> list[Side]:
    """The sides in their order, but first one that others can be compared with, if there is one."""
    return sorted(sides, key=lambda side: not comparable_with(side, sides))


def comparable_with(reference: Side, sides: Sequence[Side]) -> list[Side]:
    """The other sides that have answers to queries of the reference."""
    return [side for side in sides if side != reference and _share_a_condition(reference, side)]


def _has_comparable(sides: Sequence[Side]) -> bool:
    return any(comparable_with(side, sides) for side in sides)


def _share_a_condition(a: Side, b: Side) -> bool:
    return any(not _conditions(one).isdisjoint(_conditions(other)) for one, other in shared_sources(a, b))


def _conditions(source: Source) -> _Conditions:
    run, _, _, change = source.state
    return _conditions_of_run((run, change), source).get(source.model, frozenset())


@st.cache_resource(max_entries=512, show_spinner=False)
def _conditions_of_run(state: tuple[str, int], _source: Source) -> dict[str, _Conditions]:
    """By model, the conditions under which it answered any query."""
    with connect_runs([_source.run]) as connection:
        columns = [str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()]
        names = sorted(column for column in columns if column not in _NOT_CONDITIONS)
        selected = quoted_names(["model", *names])
        rows = connection.execute(f"SELECT DISTINCT {selected} FROM records WHERE status = 'ok'").fetchall()
    conditions: dict[str, set[tuple[object, ...]]] = {}
    for model, *values in rows:
        known = tuple((name, value) for name, value in zip(names, values, strict=True) if value is not None)
        conditions.setdefault(str(model), set()).add(known)
    return {model: frozenset(known) for model, known in conditions.items()}
