"""Finds answers of one model, and those of others to the same queries, by SQL and one page at a time.

Of all records, only the columns that a filter or an order needs are read. Supports and texts are read for the rows of
one page, which are found by their key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from lcl_lab.analysis import METRICS
from lcl_lab.dashboard.answer_choices import condition_columns
from lcl_lab.dashboard.record_loading import connect_runs
from lcl_lab.dashboard.run_index import Source
from lcl_lab.store import quoted_names

__all__ = ["ORDERS", "OUTCOMES", "AnswerQuery", "Answers", "FoundAnswer", "Neighbours", "search_terms"]

OUTCOMES = {
    "all": "TRUE",
    "right": "a.{column}",
    "wrong": "NOT a.{column}",
    "flipped": "(a.{column} <> b.any_right OR a.{column} <> b.all_right)",
}
"""Which answers to show, each with its SQL test. ``flipped``: another model is right where this one is wrong, or the
other way round."""
_MARGIN = "(loglik_true / nullif(tokens_true, 0) - loglik_other / nullif(tokens_other, 0))"
_OWN_MARGIN = re.sub(r"\b(?=loglik|tokens)", "a.", _MARGIN)
ORDERS = {
    "query": "0",
    "lowest margin": _OWN_MARGIN,
    "highest margin": f"-{_OWN_MARGIN}",
    "disagreement": (
        f"-CASE WHEN {_OWN_MARGIN} IS NULL OR b.lowest IS NULL THEN CAST({OUTCOMES['flipped']} AS INTEGER) "
        f"ELSE greatest(b.highest, {_OWN_MARGIN}) - least(b.lowest, {_OWN_MARGIN}) END"
    ),
    "seconds": "-a.seconds",
}
"""What answers are sorted by, each with an SQL expression that is smallest for the first. The margin is the
log-likelihood per token of the true name minus that of the best other one; models disagree by the difference between
their margins, or where there are no log-likelihoods by whether some are right and others wrong."""
_COMPARING = {"flipped", "disagreement"}
_SEARCHED = ("a.answer", "a.true_name", "a.other_name", "array_to_string(a.other_names, ' ')")
_CONTAINS = " OR ".join(f"contains(lower({text}), lower(?))" for text in _SEARCHED)
_NEVER_NULL = ("query_id", "seed", "data")
"""Columns that identify an answer of a source, together with those of its condition."""
_TERM = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True)
class AnswerQuery:
    """Which answers to find, and in which order.

    Attributes:
        source: the model and run.
        others: further sources, whose answers to the same queries are shown next to it.
        metric: decides which answers are right.
        where: values of condition columns, pair or true name, as text.
        outcome: a key of `OUTCOMES`.
        query: the number of a single query.
        text: what the answer or a name contains; see `search_terms`.
        order: a key of `ORDERS`.
    """

    source: Source
    others: tuple[Source, ...]
    metric: str
    where: Mapping[str, str]
    outcome: str = "all"
    query: int | None = None
    text: str = ""
    order: str = "query"


@dataclass(frozen=True)
class FoundAnswer:
    """An answer, and those of the other sources to the same query under the same condition.

    Attributes:
        record: its record.
        others: the record of each other source; None where it has none.
        rank: its value in the order of the query.
    """

    record: dict[str, Any]
    others: tuple[dict[str, Any] | None, ...]
    rank: float


@dataclass(frozen=True)
class Neighbours:
    """Where an answer is among those that its query finds without the number.

    Attributes:
        number: its place, from 1 on.
        total: the number of answers.
        previous: the query of the answer before it; None for the first.
        next: the query of the answer after it; None for the last.
    """

    number: int
    total: int
    previous: int | None
    next: int | None


class Answers:
    """The answers that a query finds.

    Attributes:
        conditions: the condition columns of the records.
        total: the number of answers.
    """

    def __init__(self, query: AnswerQuery) -> None:
        self._query = query
        self._connection = connect_runs([query.source.run, *(other.run for other in query.others)])
        self._types = {str(name): str(kind) for name, kind, *_ in self._rows("DESCRIBE records")}
        self.conditions = condition_columns(list(self._types))
        self._keys = [quoted_names([name]) for name in (*_NEVER_NULL, *self.conditions)]
        self._rank = f"coalesce(CAST({self._sql(ORDERS[query.order])} AS DOUBLE), 'infinity')"
        self._selection, self._values = self._select(bool(_COMPARING & {query.outcome, query.order}))
        counted, values = self._select(query.outcome in _COMPARING)  # whatever the order
        ((self.total,),) = self._rows(f"SELECT count(*) {counted} AND {self._this_query}", values)

    def rows(self, first: int, count: int) -> list[FoundAnswer]:
        """`count` answers from number `first` on."""
        keys = ", ".join(f"a.{name} AS key_{number}" for number, name in enumerate(self._keys))
        order = ", ".join(f"a.{name}" for name in self._keys)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE page AS SELECT row_number() OVER () AS place, * FROM "
            f"(SELECT {keys}, {self._rank} AS rank {self._selection} AND {self._this_query} "
            f"ORDER BY rank, {order} LIMIT {count} OFFSET {first})",
            self._values,
        )
        own, *others = (self._records(source) for source in (self._query.source, *self._query.others))
        ranks = self._rows("SELECT place, rank FROM page ORDER BY place")
        return [FoundAnswer(own[place], tuple(other.get(place) for other in others), rank) for place, rank in ranks]

    def around(self, found: FoundAnswer) -> Neighbours:
        """The answers before and after one, in the order of the query and whatever number it asks for."""
        at = [found.rank, found.rank, found.record["query_id"]]
        before, after = (f"({self._rank} {sign} ? OR ({self._rank} = ? AND a.query_id {sign} ?))" for sign in "<>")
        count = f"SELECT count(*), count(*) FILTER (WHERE {before}) {self._selection}"
        ((total, earlier),) = self._rows(count, [*at, *self._values])
        previous, following = (
            self._rows(
                f"SELECT a.query_id {self._selection} AND {side} "
                f"ORDER BY {self._rank} {direction}, a.query_id {direction} LIMIT 1",
                [*self._values, *at],
            )
            for side, direction in ((before, "DESC"), (after, "ASC"))
        )
        return Neighbours(earlier + 1, total, *(rows[0][0] if rows else None for rows in (previous, following)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def _this_query(self) -> str:
        return "TRUE" if self._query.query is None else f"a.query_id = {self._query.query}"

    def _select(self, compare: bool) -> tuple[str, list[object]]:
        """The answers in SQL from FROM on, whatever their query, and the values of its parameters.

        Args:
            compare: join the other sources' answers.
        """
        query = self._query
        own, values = self._records_of([query.source], list(query.where))
        joined = ""
        if compare:
            others, more = self._records_of(query.others, [name for name in query.where if name in self.conditions])
            same = " AND ".join(f"a.{name} IS NOT DISTINCT FROM b.{name}" for name in self._keys)
            right = self._sql("{column}")
            joined = (
                f"LEFT JOIN (SELECT {', '.join(self._keys)}, min({_MARGIN}) AS lowest, max({_MARGIN}) AS highest, "
                f"bool_or({right}) AS any_right, bool_and({right}) AS all_right FROM {others} GROUP BY ALL) b ON {same}"
            )
            values += more
        tests = [self._sql(OUTCOMES[query.outcome])]
        for term in search_terms(query.text):
            tests.append(f"({_CONTAINS})")
            values += [term] * len(_SEARCHED)
        return f"FROM {own} a {joined} WHERE {' AND '.join(tests)}", values

    def _records_of(self, sources: Sequence[Source], columns: Sequence[str] = ()) -> tuple[str, list[object]]:
        """SQL of the records of some sources that have the wanted values of some columns, and its parameters."""
        of_source = " OR ".join(["(run = ? AND model = ?)"] * len(sources)) or "FALSE"
        values: list[object] = [value for source in sources for value in (source.run.run, source.model)]
        tests = [f"({of_source})", *(f"{quoted_names([name])} = CAST(? AS {self._types[name]})" for name in columns)]
        values += [self._query.where[name] for name in columns]
        return f"(SELECT * FROM records WHERE {' AND '.join(tests)})", values

    def _sql(self, template: str) -> str:
        return template.format(column=METRICS[self._query.metric])

    def _records(self, source: Source) -> dict[int, dict[str, Any]]:
        """A source's records of the current page, by their place on it."""
        records, values = self._records_of([source])
        pairs = [(f"r.{name}", f"page.key_{number}") for number, name in enumerate(self._keys)]
        # Only equality lets the scan skip all other columns of the rows that are not on the page.
        same = [" = ".join(pair) for pair in pairs[: len(_NEVER_NULL)]]
        same += [" IS NOT DISTINCT FROM ".join(pair) for pair in pairs[len(_NEVER_NULL) :]]
        rows = self._rows(f"SELECT page.place, r.* FROM page JOIN {records} r ON {' AND '.join(same)}", values)
        return {place: dict(zip(self._types, record, strict=True)) for place, *record in rows}

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        return self._connection.execute(query, values).fetchall()


def search_terms(text: str) -> list[str]:
    """What a search looks for: words, and phrases in quotation marks; all of them must occur."""
    return [phrase or word for phrase, word in _TERM.findall(text)]
