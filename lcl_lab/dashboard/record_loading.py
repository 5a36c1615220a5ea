"""The records of selected models and seeds, read by SQL with only the columns that studies use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from lcl_lab import store
from lcl_lab.dashboard.run_index import Source

if TYPE_CHECKING:
    import duckdb

    from lcl_lab.studies.study import Supports

__all__ = ["connect_runs", "load_records"]

_UNREAD = (
    "support",
    "run",
    "filename",
    "episode_id",
    "question",
    "thinking",
    "nearest",
    "token_logliks",
    "token_texts",
)
_CONTENT_FREE = tuple(
    f"loglik_{side}_{image}" for image in ("grey", "black", "white", "noise") for side in ("true", "other")
)
_LAST_LABEL = "CASE WHEN records.loglik_true_grey IS NOT NULL THEN example.label END"
"""What calibrated choices need of the last example."""
_NULLABLE: Mapping[pa.DataType, Any] = {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}
_SEED_OFFSET = 1_000_000  # between the query ids of two seeds


def connect_runs(runs: Iterable[store.RunInfo]) -> duckdb.DuckDBPyConnection:
    """A connection with the view `records` of the given runs. New at every call: pages are drawn in threads."""
    return store.connect_to(list({run.run: run for run in runs}.values()))


def load_records(sources: Sequence[Source], supports: Supports | None = None) -> pd.DataFrame:
    """The records of the given sources. Query and support ids of different seeds are shifted apart.

    Args:
        sources: models, seeds and their runs.
        supports: the records whose supports are needed, and what of them; full supports would dominate memory.
            Runs that calibrate also have the last label.

    Returns:
        The records in the order in which they are stored, so that those of a model or a condition lie together in a
        finished run. Where no record needs them, there are no columns for calibration, for supports, and for the images
        of queries, which tell the queries apart that an answer is missing of.
    """
    seeds = sorted({source.seed for source in sources})
    shifts = {source.run.run: seeds.index(source.seed) * _SEED_OFFSET for source in sources}
    models = {run: [source.model for source in sources if source.run.run == run] for run in shifts}
    shift = f"CASE run {' '.join('WHEN ? THEN ?' for _ in shifts)} END"
    of_shift = [value for item in shifts.items() for value in item]
    chosen = " OR ".join("(run = ? AND list_contains(?, model))" for _ in models)
    of_chosen = [value for item in models.items() for value in item]
    with connect_runs(source.run for source in sources) as connection:
        connection.execute("SET threads = 1")  # several do not keep the order
        columns, values = _columns(connection, supports)
        query = (
            f"SELECT {columns} REPLACE (query_id + {shift} AS query_id, support_id + {shift} AS support_id) "
            f"FROM records WHERE {chosen}"
        )
        # A Python object for each text, as DuckDB makes them, would take five times as long.
        return _to_frame(connection.sql(query, params=[*values, *of_shift, *of_shift, *of_chosen]).to_arrow_table())


def _columns(connection: duckdb.DuckDBPyConnection, supports: Supports | None) -> tuple[str, list[str]]:
    """SQL for the columns that the records need, and the values of its parameters."""
    needs = "SELECT count(loglik_true_grey), count_if(status <> 'ok') FROM records"
    ((calibrated, missing),) = connection.execute(needs).fetchall()
    unread = [*_UNREAD]
    unread += [] if calibrated else _CONTENT_FREE
    unread += [] if missing else ["query_image"]
    columns = f"* EXCLUDE ({', '.join(unread)})"
    if not (calibrated or supports):
        return columns, []
    column, value, fields = supports or ("study", "", ("false",))  # no study has an empty name
    of_example = {name: f'example."{name}"' for name in fields}
    if calibrated:
        of_example = {"label": _LAST_LABEL} | of_example
    example = "{" + ", ".join(f"'{name}': {expression}" for name, expression in of_example.items()) + "}"
    support = (
        f"CASE WHEN records.{store.quoted_names([column])} = ? "
        f"THEN list_transform(records.support, lambda example: {example}) "
        f"WHEN records.loglik_true_grey IS NOT NULL "
        f"THEN list_transform(records.support[-1:], lambda example: {example}) END AS support"
    )
    return f"{support}, {columns}", [value]


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """A table as a frame, with numbers and booleans in the types of pandas that can be missing where some are."""
    frame = table.to_pandas()
    for field in table.schema:
        if field.type in _NULLABLE and table[field.name].null_count:
            frame[field.name] = table[field.name].to_pandas(types_mapper=_NULLABLE.get)
    return frame
