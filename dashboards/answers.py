"""The answers of one model, beside another's on the same queries, found by SQL a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import streamlit as st

from dashboards.results import Source, connected
from lcl_lab.analysis import METRICS
from lcl_lab.store import FIXED

__all__ = ["SHOWN", "Answers", "Asked", "conditions_of", "text_of"]

_MOST = 1000  # values that one can choose from
SHOWN = {"all": "TRUE", "right": "a_right", "wrong": "NOT a_right", "flipped": "a_right <> b_right"}
"""Which answers: the test of each choice."""


@dataclass(frozen=True)
class Asked:
    """Whose answers, beside whose, right by which metric, and which of them."""

    source: Source
    beside: Source | None
    metric: str
    where: Mapping[str, str]  # condition columns and pair, as text
    shown: str  # of SHOWN
    query: int | None


class Answers:
    """What was asked for, as rows of the records with the other's answer in columns that begin with `b_`."""

    def __init__(self, asked: Asked) -> None:
        other = asked.beside or asked.source
        self._connection = connected([asked.source.run, other.run])
        types = {str(row[0]): str(row[1]) for row in self._connection.execute("DESCRIBE records").fetchall()}
        self.conditions = _conditions(list(types))
        self._from, self._given = self._query(asked, other, types)
        (total,) = self._connection.execute(f"SELECT count(*) {self._from}", self._given).fetchone() or (0,)
        self.total = int(total)

    def _query(self, asked: Asked, other: Source, types: Mapping[str, str]) -> tuple[str, list[object]]:
        column, both = METRICS[asked.metric], ("seed", "query_id", *map(_quoted, self.conditions))
        same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in both)
        tests = [SHOWN[asked.shown], *(f"{_quoted(name)} = CAST(? AS {types[name]})" for name in asked.where)]
        given: list[object] = [asked.source.run.run, asked.source.model, other.run.run, other.model]
        given += asked.where.values()
        if asked.query is not None:
            tests.append("query_id = ?")
            given.append(asked.query)
        text = (
            f"FROM (SELECT a.*, coalesce(a.{column}, a.correct_open) AS a_right, b.answer AS b_answer, "
            f"coalesce(b.{column}, b.correct_open) AS b_right, b.loglik_true AS b_loglik_true, "
            "b.loglik_other AS b_loglik_other, b.tokens_true AS b_tokens_true, b.tokens_other AS b_tokens_other "
            "FROM (SELECT * FROM records WHERE run = ? AND model = ?) a "
            f"JOIN (SELECT * FROM records WHERE run = ? AND model = ?) b ON {same}) WHERE {' AND '.join(tests)}"
        )
        return text, given

    def rows(self, first: int, count: int) -> list[dict[str, Any]]:
        """Some of the answers, by query and condition."""
        order = ", ".join(["query_id", *map(_quoted, self.conditions)])
        page = f"SELECT * {self._from} ORDER BY {order} LIMIT {count} OFFSET {first}"
        found = self._connection.execute(page, self._given)
        heads = [head[0] for head in found.description or []]
        return [dict(zip(heads, row, strict=True)) for row in found.fetchall()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


@st.cache_data(max_entries=256, show_spinner=False)
def conditions_of(state: tuple[str, str, int, int], _source: Source) -> dict[str, list[str]]:
    """What one can choose by: the values of each condition, pairs and true names, as text.

    SegmentKV while the state of the run is the same.
    """
    with connected([_source.run]) as connection:
        columns = [str(row[0]) for row in connection.execute("DESCRIBE records").fetchall()]
        found = {}
        for name in [*_conditions(columns), "pair", "true_name"]:
            rows = connection.execute(f"SELECT DISTINCT {_quoted(name)} FROM records ORDER BY 1").fetchall()
            found[name] = [text_of(value) for (value,) in rows if value is not None]
        return {name: values for name, values in found.items() if 0 < len(values) <= _MOST}


def text_of(value: Any) -> str:
    """A value of a condition as it stands in addresses and controls."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _conditions(columns: list[str]) -> list[str]:
    return [column for column in columns if column not in (*FIXED, "run", "filename")]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
