from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from lcl_lab.store import Record, Run, SupportExample, connect, records_digest, same_records, to_table

from .factories import CONFIG, STUDY, record, records


def frame(rows: list[Record]) -> pd.DataFrame:
    stored: pd.DataFrame = to_table(rows).to_pandas()
    return stored


def test_order_measurements_and_empty_columns_are_not_part_of_the_digest() -> None:
    a = records(3, shots=1)
    b = [
        replace(row, loglik_true=row.loglik_true + 5e-5, seconds=9.0) for row in reversed(records(3, shots=1.0, x=None))
    ]
    assert records_digest(frame(a)) == records_digest(frame(b))
    assert same_records(frame(a), frame(b)) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"answer": "blick"}, 'answer is "It\'s a «dax». 1" in the first and "blick" in the second: '),
        ({"correct_open": False}, "correct_open is true in the first and false in the second: "),
        ({"support": (SupportExample("a.png", "dax", "dax", False),)}, "support is "),
        ({"pair": "other"}, 'pair is "blick/dax" in the first and "other" in the second'),
        ({"condition": {"shots": 2}}, "only in the second: "),
        ({"query_id": 0}, "only in the second: "),
        ({"model": "other"}, "only in the first: "),
    ],
)
def test_any_other_change_shows(change: dict[str, object], said: str) -> None:
    a = records(3)
    b = [a[0], replace(a[1], **change), a[2]]  # type: ignore[arg-type]
    difference = same_records(frame(a), frame(b))
    assert difference is not None and difference.startswith(said) and "\n" not in difference
    assert records_digest(frame(a)) != records_digest(frame(b))


def test_log_likelihoods_are_held_to_the_tolerance() -> None:
    a = records(2)
    b = [a[0], replace(a[1], loglik_other=a[1].loglik_other + 1e-3)]
    assert "loglik_other is -2.5 in the first" in str(same_records(frame(a), frame(b)))
    assert same_records(frame(a), frame(b), tolerance=1e-2) is None
    b = [a[0], replace(a[1], loglik_other=float("nan"))]
    assert "and null in the second" in str(same_records(frame(a), frame(b)))
    assert same_records(frame(b), frame(b)) is None


def test_missing_and_doubled_records_show() -> None:
    a = records(3)
    assert str(same_records(frame(a), frame(a[:2]))).startswith("only in the first: ")
    assert str(same_records(frame(a), frame([*a, a[2]]))).startswith("only in the second: ")
    assert records_digest(frame(a)) != records_digest(frame([*a, a[2]]))
    assert same_records(frame([]), frame([])) is None


def test_where_records_lie_does_not_matter(tmp_path: Path) -> None:
    rows = [record(query, shots=query, order=None) for query in range(4)]
    frames = []
    for cells in ([rows], [rows[2:], rows[:2]]):
        with Run.open(tmp_path, STUDY, CONFIG, fresh=True) as run:
            for cell, part in enumerate(cells):
                run.commit(str(cell), part)
            frames.append(run.records())
    assert same_records(frames[0], frames[1]) is None and same_records(frames[0], frame(rows)) is None
    with connect(tmp_path) as connection:
        both = connection.execute("SELECT * FROM records").df()
    parts = [part for _, part in both.groupby("run")]
    assert len(parts) == 2 and records_digest(parts[0]) == records_digest(parts[1]) == records_digest(frame(rows))
