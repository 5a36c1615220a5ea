"""Answers that are not known: which queries they leave, and how much they could change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

__all__ = ["AnswerStatus", "answer_status", "complete_queries"]

_QUERY = ["data", "seed", "query_id", "query_image"]


@dataclass(frozen=True)
class AnswerStatus:
    """What became of the requests for a model's answers.

    Attributes:
        model: the model.
        n: number of answers.
        missing: number of answers that are not known, by status.
        cut_off: number of answers that were cut off.
        lowest: open-ended accuracy if all missing answers were wrong.
        highest: open-ended accuracy if all missing answers were right.
    """

    model: str
    n: int
    missing: Mapping[str, int]
    cut_off: int
    lowest: float
    highest: float

    @property
    def missing_rate(self) -> float:
        """Share of answers that are not known."""
        return sum(self.missing.values()) / self.n

    @property
    def cut_off_rate(self) -> float:
        """Share of answers that were cut off."""
        return self.cut_off / self.n


def answer_status(records: pd.DataFrame) -> list[AnswerStatus]:
    """What became of the answers of each model, in the order of the records."""
    statuses = []
    for model, rows in records.groupby("model", sort=False):
        missing = rows["status"] != "ok"
        right = float(rows.loc[~missing, "correct_open"].astype(float).sum())
        statuses.append(
            AnswerStatus(
                model=str(model),
                n=len(rows),
                missing={
                    str(status): int(count) for status, count in rows.loc[missing, "status"].value_counts().items()
                },
                cut_off=int(rows.loc[~missing, "cut_off"].astype(bool).sum()),
                lowest=right / len(rows),
                highest=(right + int(missing.sum())) / len(rows),
            )
        )
    return statuses


def complete_queries(records: pd.DataFrame) -> pd.DataFrame:
    """The records of the queries that every model answered under every condition.

    Conditions and models are compared on the same queries, so a missing answer leaves out its whole query. A model that
    has no complete query at all is left out first.

    Returns:
        The rows that remain; the frame itself if no answer is missing.
    """
    missing = records["status"] != "ok"
    if not missing.any():
        return records
    incomplete = missing.groupby([records[name] for name in ["model", *_QUERY]]).transform("any")
    silent = incomplete.groupby(records["model"]).transform("all")
    rest, incomplete = records[~silent], incomplete[~silent]
    dropped = incomplete.groupby([rest[name] for name in _QUERY]).transform("any")
    return rest[~dropped.astype(bool)].reset_index(drop=True)
