"""Records as Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from numbers import Integral, Real

import pyarrow as pa

from lcl_lab.store.records import FIXED, Record, SupportExample, check_columns

__all__ = ["record_schema", "to_table"]

_SCALARS = {"str": pa.string(), "int": pa.int64(), "float": pa.float64(), "Float32": pa.float32(), "bool": pa.bool_()}


def record_schema(condition: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """The Arrow schema of records.

    Args:
        condition: the types of the condition columns by name.

    Returns:
        The fixed columns in their order, then the condition columns by name.
    """
    example = pa.struct([(field.name, _SCALARS[str(field.type)]) for field in fields(SupportExample)])
    columns = [
        (field.name, pa.list_(example) if field.name == "support" else _arrow_type(str(field.type)))
        for field in fields(Record)
        if field.name in FIXED
    ]
    return pa.schema(columns + sorted((condition or {}).items()))


def _arrow_type(annotation: str) -> pa.DataType:
    """The type of a field such as ``int | None`` or ``tuple[float, ...] | None``."""
    kind = annotation.removesuffix(" | None")
    if kind.startswith("tuple["):
        return pa.list_(_arrow_type(kind.removeprefix("tuple[").removesuffix(", ...]")))
    return _SCALARS[kind]


def to_table(records: Sequence[Record]) -> pa.Table:
    """Convert N records to an Arrow table with N rows; condition columns that a record lacks are null.

    Raises:
        ValueError: a condition column mixes text and numbers or contains anything else, or two have the same name.
    """
    names = sorted({name for record in records for name in record.condition})
    check_columns(names)
    conditions = {name: _condition_type(name, [record.condition.get(name) for record in records]) for name in names}
    rows = [_row(record, names) for record in records]
    return pa.Table.from_pylist(rows, schema=record_schema(conditions))


def _row(record: Record, names: Sequence[str]) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(record, name) for name in FIXED}
    row["support"] = [
        {field.name: getattr(example, field.name) for field in fields(SupportExample)} for example in record.support
    ]
    row.update((name, record.condition.get(name)) for name in names)
    return row


def _condition_type(name: str, values: Sequence[object]) -> pa.DataType:
    present = [value for value in values if value is not None]
    for kind, arrow in (((), pa.null()), (Integral, pa.int64()), (Real, pa.float64()), (str, pa.string())):
        if all(isinstance(value, kind) for value in present):
            return arrow
    kinds = ", ".join(sorted({type(value).__name__ for value in present}))
    raise ValueError(f"condition column {name!r} must contain only numbers or only text, not {kinds}")
