"""A record: one query under one condition, with enough to pair two runs and to show the dialogue again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FIXED", "RESERVED", "Record", "Shown", "record_schema", "to_table"]

RESERVED = ("run", "filename")
"""Columns that the `records` view adds."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One support image with the label that the prompt gave it; false when that is not its true label."""

    image: str
    label: str
    true_label: str
    false: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One query under one condition.

    The entries of `condition` become columns of their own; a name that is a column already is a ValueError.
    """

    study: str
    model: str
    data: str
    seed: int  # of the study
    query_id: int
    support_id: int  # queries of the same support share it
    pair: str  # the two concepts: the cluster of the analysis
    condition: Mapping[str, int | float | str | None]
    episode_id: str
    support: tuple[Shown, ...]  # (K,), in the order shown
    query_image: str
    question: str  # the text of the last turn
    true_name: str
    other_name: str
    answer: str
    loglik_true: float | None  # sum over the tokens of the name, in nats; None where a model does not tell
    loglik_other: float | None
    tokens_true: int | None
    tokens_other: int | None
    score: float  # of the answer text, from 0 to 1; 0 or 1 but where a study grades, as VQAv2 does
    correct_open: bool  # the answer text names the true concept: its score is at least one half
    correct_candidate: bool | None  # argmax of log-likelihood per token
    correct_candidate_raw: bool | None  # argmax of the sums
    seconds: float  # of the model, on this record

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name in self.condition:
            # SQL does not tell "Seed" from "seed".
            if not name or name.casefold() in {*FIXED, *RESERVED, *seen}:
                raise ValueError(f"condition column {name!r} clashes with another column of the record")
            seen.add(name.casefold())


FIXED: tuple[str, ...] = tuple(field.name for field in fields(Record) if field.name != "condition")
"""The columns that every record has, in their order in a shard."""


def record_schema(condition: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """The Arrow schema of records: the fixed columns, then the condition's, by name."""
    import pyarrow as pa

    scalar = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    shown = pa.struct([(field.name, scalar[str(field.type)]) for field in fields(Shown)])
    columns = [
        (field.name, pa.list_(shown) if field.name == "support" else scalar[str(field.type).removesuffix(" | None")])
        for field in fields(Record)
        if field.name in FIXED
    ]
    return pa.schema(columns + sorted((condition or {}).items()))


def to_table(records: Sequence[Record]) -> pa.Table:
    """Records as an Arrow table (N rows); a condition column that a record lacks is null there.

    Raises ValueError when a condition column mixes text with numbers or holds anything else.
    """
    import pyarrow as pa

    names = sorted({name for record in records for name in record.condition})
    conditions = {name: _condition_type(name, [record.condition.get(name) for record in records]) for name in names}
    rows = [_row(record, names) for record in records]
    return pa.Table.from_pylist(rows, schema=record_schema(conditions))


def _row(record: Record, names: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(record, name) for name in FIXED}
    row["support"] = [{field.name: getattr(shown, field.name) for field in fields(Shown)} for shown in record.support]
    row.update((name, record.condition.get(name)) for name in names)
    return row


def _condition_type(name: str, values: Sequence[object]) -> pa.DataType:
    import pyarrow as pa

    present = [value for value in values if value is not None]
    for kind, arrow in (((), pa.null()), (Integral, pa.int64()), (Real, pa.float64()), (str, pa.string())):
        if all(isinstance(value, kind) for value in present):
            return arrow
    kinds = ", ".join(sorted({type(value).__name__ for value in present}))
    raise ValueError(f"condition column {name!r} must hold only numbers or only text, not {kinds}")
