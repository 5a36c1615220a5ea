"""Finds answers of one model, next to another's on the same queries, by SQL and one page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import streamlit as st

from lcl_lab.analysis import METRICS
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import Source, SourceState
from lcl_lab.store import FIXED, quoted_names

__all__ = ["OUTCOMES", "AnswerQuery", "Answers", "FoundAnswer", "address_value", "condition_values", "metrics_of"]

_MAX_CHOICES = 1000  # values of a control
OUTCOMES = {
    "all": "TRUE",
    "right": "a.{column}",
    "wrong": "NOT a.{column}",
    "flipped": "a.{column} <> b.{column}",
}
"""Which answers to show, each with its SQL test."""
_OTHER = ("answer", *(f"{kind}_{side}" for kind in ("loglik", "tokens") for side in ("true", "other", "others")))


@dataclass(frozen=True)
class AnswerQuery:
    """Which answers to find.

    Attributes:
        source: the model and run.
        other: a second source to show next to it; None for none.
        metric: decides which answers are right.
        where: values of condition columns, pair or true name, as text.
        outcome: a key of `OUTCOMES`.
        query: the number of a single query.
    """

    source: Source
    other: Source | None
    metric: str
    where: Mapping[str, str]
    outcome: str
    query: int | None


@dataclass(frozen=True)
class FoundAnswer:
    """An answer, and the other source's to the same query under the same condition.

    Attributes:
        record: its record.
        right: whether it is right; None if that is not known.
        other: answer, log-likelihoods and tokens of the other source's record.
        other_right: whether the other one is right.
    """

    record: dict[str, Any]
    right: bool | None
    other: dict[str, Any]
    other_right: bool | None


class Answers:
    """The answers that a query finds.

    Attributes:
        conditions: the condition columns of the records.
        total: the number of answers.
    """

    def __init__(self, query: AnswerQuery) -> None:
        other = query.other or query.source
        self._connection = connect_runs([query.source.run, other.run])
        types = {str(row[0]): str(row[1]) for row in self._connection.execute("DESCRIBE records").fetchall()}
        self._names, self._column = list(types), METRICS[query.metric]
        self.conditions = _condition_columns(self._names)
        self._selection, self._values = self._sql(query, other, types)
        counted = self._connection.execute(f"SELECT count(*) {self._selection}", self._values).fetchone()
        self.total = int(counted[0]) if counted else 0

    def _sql(self, query: AnswerQuery, other: Source, types: Mapping[str, str]) -> tuple[str, list[object]]:
        keys = ("seed", "query_id", *(quoted_names([name]) for name in self.conditions))
        same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in keys)
        tests = [
            OUTCOMES[query.outcome].format(column=self._column),
            *(f"a.{quoted_names([name])} = CAST(? AS {types[name]})" for name in query.where),
        ]
        values: list[object] = [query.source.run.run, query.source.model, other.run.run, other.model]
        values += query.where.values()
        if query.query is not None:
            tests.append("a.query_id = ?")
            values.append(query.query)
        selection = (
            "FROM (SELECT * FROM records WHERE run = ? AND model = ?) a "
            f"JOIN (SELECT * FROM records WHERE run = ? AND model = ?) b ON {same} WHERE {' AND '.join(tests)}"
        )
        return selection, values

    def rows(self, first: int, count: int) -> list[FoundAnswer]:
        """`count` answers from number `first` on, by query and condition."""
        columns = [*(f"a.{quoted_names([name])}" for name in self._names), f"a.{self._column}"]
        columns += [f"b.{name}" for name in (*_OTHER, self._column)]
        order = ", ".join(f"a.{quoted_names([name])}" for name in ("query_id", *self.conditions))
        page = f"SELECT {', '.join(columns)} {self._selection} ORDER BY {order} LIMIT {count} OFFSET {first}"
        return [self._answer(row) for row in self._connection.execute(page, self._values).fetchall()]

    def _answer(self, row: Sequence[Any]) -> FoundAnswer:
        size = len(self._names)
        record, right, other = row[:size], row[size], row[size + 1 :]
        return FoundAnswer(
            record=dict(zip(self._names, record, strict=True)),
            right=right,
            other=dict(zip(_OTHER, other[:-1], strict=True)),
            other_right=other[-1],
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


@st.cache_data(max_entries=256, show_spinner=False)
def condition_values(state: SourceState, _source: Source) -> dict[str, list[str]]:
    """The values of each condition column, of pairs and of true names, as text; cached while the run is unchanged."""
    with connect_runs([_source.run]) as connection:
        columns = [str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()]
        choices = {}
        for name in [*_condition_columns(columns), "pair", "true_name"]:
            rows = connection.execute(f"SELECT DISTINCT {quoted_names([name])} FROM records ORDER BY 1").fetchall()
            choices[name] = [address_value(value) for (value,) in rows if value is not None]
        return {name: values for name, values in choices.items() if 0 < len(values) <= _MAX_CHOICES}


@st.cache_data(max_entries=256, show_spinner=False)
def metrics_of(state: SourceState, _source: Source, metrics: Sequence[str]) -> list[str]:
    """Those of `metrics` that any record of a source has a value for."""
    counts = ", ".join(f"count({METRICS[metric]})" for metric in metrics)
    with connect_runs([_source.run]) as connection:
        row = connection.execute(f"SELECT {counts} FROM records WHERE model = ?", [_source.model]).fetchone()
    return [metric for metric, count in zip(metrics, row or (), strict=True) if count]


def address_value(value: Any) -> str:
    """A value of a condition as it is written in addresses and controls."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _condition_columns(columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column not in (*FIXED, "run", "filename")]
