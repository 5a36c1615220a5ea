"""The answers of several models to one query, with names and verdicts, as lines of text and as a table of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lcl_lab.dashboard.answer_controls import answer_address, source_label, source_name
from lcl_lab.dashboard.answer_queries import AnswerQuery, FoundAnswer
from lcl_lab.dashboard.answer_texts import candidate_texts, latency_text, margin_text, shortened
from lcl_lab.dashboard.answer_verdicts import MARKS, Verdict, open_rule, verdicts
from lcl_lab.dashboard.run_index import Source

__all__ = ["CELL", "ShownAnswer", "answer_lines", "answer_table", "permanent_link", "shown_answers"]

CELL = 60
"""Characters of an answer in a table."""
_ANSWER = "answer"
_LAST = _MARGIN, _TIME, _NOTE = "margin per token", "time", "note"


@dataclass(frozen=True)
class ShownAnswer:
    """What one source answered.

    Attributes:
        source: the model and run.
        name: the model, and when its run was started if that is another than the first one's.
        record: its record; None where it has none.
        verdicts: by metric.
        notes: what was unusual about the answer.
    """

    source: Source
    name: str
    record: dict[str, Any] | None
    verdicts: Mapping[str, Verdict]
    notes: Sequence[str]


def shown_answers(query: AnswerQuery, found: FoundAnswer) -> list[ShownAnswer]:
    """The answer of each source of a query, that of the first one first."""
    return [
        ShownAnswer(
            source,
            source_label(source, query.source),
            record,
            verdicts(record, open_rule(source.state, source)) if record else {},
            _notes(record, found.record),
        )
        for source, record in zip((query.source, *query.others), (found.record, *found.others), strict=True)
    ]


def answer_lines(answers: Sequence[ShownAnswer]) -> dict[str, str]:
    """By source: verdicts and whole answer, and below them each candidate's log-likelihood."""
    lines = {}
    for answer in answers:
        marks = ", ".join(verdict.text for verdict in answer.verdicts.values()) or "no verdict"
        texts = [f"{name}: {text} per token" for name, text in candidate_texts(answer.record or {}).items()]
        verdict_line = [f"{marks}: {answer.record['answer']}"] if answer.record else []
        lines[answer.name] = "\n".join([*verdict_line, *texts, *answer.notes])
    return lines


def answer_table(answers: Sequence[ShownAnswer], candidates: int | None = None) -> pd.DataFrame:
    """The answers as columns: texts, verdicts by rule, log-likelihoods, margin, time.

    Args:
        answers: at least one.
        candidates: how many to show: the true name and those that the first model finds most likely; None for all.
    """
    texts = {answer.name: candidate_texts(answer.record) if answer.record else {} for answer in answers}
    names = list(dict.fromkeys(name for column in texts.values() for name in column))[:candidates]
    true_names = {answer.record["true_name"] for answer in answers if answer.record}
    rows = {name: f"“{name}” (true)" if name in true_names else f"“{name}”" for name in names}
    columns = {
        answer.name: _verdicts(answer)
        | {row: texts[answer.name].get(name, "") for name, row in rows.items()}
        | _measurements(answer)
        for answer in answers
    }
    verdicts = [row for column in columns.values() for row in column if row not in (*rows.values(), *_LAST)]
    measured = [row for row in _LAST if any(row in column for column in columns.values())]
    order = [*dict.fromkeys(verdicts), *rows.values(), *measured]
    return pd.DataFrame({name: [column.get(row, "") for row in order] for name, column in columns.items()}, order)


def permanent_link(query: AnswerQuery, record: dict[str, Any], conditions: Sequence[str]) -> dict[str, Any]:
    """The address parameters of one record next to those of the other sources."""
    beside = [source_name(other, query.source.run.run) for other in query.others]
    values = {column: record[column] for column in conditions if record[column] is not None}
    more: dict[str, Any] = {"beside": beside} if beside else {}
    return answer_address(query.source, values, query=str(record["query_id"]), metric=query.metric, **more)


def _notes(record: Mapping[str, Any] | None, first: Mapping[str, Any]) -> list[str]:
    if record is None:
        return ["no record of this query"]
    notes = {
        "another support": record["episode_id"] != first["episode_id"],
        "cut off at the maximum number of tokens": record["cut_off"],
        f"status: {record['status']}": record["status"] != "ok",
    }
    return [note for note, is_true in notes.items() if is_true]


def _verdicts(answer: ShownAnswer) -> dict[str, str]:
    """The answer, and whether it is right by each rule."""
    if answer.record is None:
        return {}
    marks = {verdict.rule.name: MARKS[verdict.right] for verdict in answer.verdicts.values()}
    return {_ANSWER: shortened(answer.record["answer"], CELL), **marks}


def _measurements(answer: ShownAnswer) -> dict[str, str]:
    """Margin, seconds and notes, as far as there are any."""
    values: dict[str, str | None] = {_NOTE: "; ".join(answer.notes)}
    if answer.record is not None:
        values |= {_MARGIN: margin_text(answer.record), _TIME: latency_text(answer.record)}
    return {row: text for row, text in values.items() if text}
