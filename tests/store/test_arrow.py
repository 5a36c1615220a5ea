from __future__ import annotations

import pyarrow as pa
import pytest

from lcl_lab.store import Record, record_schema, to_table

from .factories import record


def test_table_has_a_column_per_condition_and_the_support_in_order() -> None:
    table = to_table([record(0, shots=4, false_ratio=0.25, position="first"), record(1, shots=8)])
    assert table.schema == record_schema({"false_ratio": pa.float64(), "position": pa.string(), "shots": pa.int64()})
    first, second = table.to_pylist()
    assert (first["shots"], first["false_ratio"], first["position"]) == (4, 0.25, "first")
    assert (second["shots"], second["false_ratio"], second["position"]) == (8, None, None)
    assert first["support"] == [
        {"image": "a.png", "label": "dax", "true_label": "dax", "false": False},
        {"image": "b.png", "label": "dax", "true_label": "blick", "false": True},
    ]


def test_whole_and_real_numbers_make_a_real_column() -> None:
    assert to_table([record(ratio=0), record(ratio=0.5)]).column("ratio").to_pylist() == [0.0, 0.5]


@pytest.mark.parametrize("value", ["text", [1], object()])
def test_condition_of_mixed_kinds_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"'shots' must contain only numbers or only text, not .*int"):
        to_table([record(shots=1), record(shots=value)])


def test_no_records_make_an_empty_typed_table() -> None:
    table = to_table([])
    assert table.num_rows == 0 and table.schema == record_schema()
    assert set(table.schema.names) == {name for name in Record.__dataclass_fields__ if name != "condition"}
