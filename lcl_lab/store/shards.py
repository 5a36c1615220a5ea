"""Shards: the Parquet files of a run, one per cell or all records in one; and DuckDB relations over any of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.atomic import atomic_path
from lcl_lab.errors import UserError
from lcl_lab.store.arrow import record_schema, to_table
from lcl_lab.store.records import ADDED, FIXED, RESERVED, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SUFFIX",
    "column_types",
    "encode_shard",
    "ordered_query",
    "pack",
    "quoted_names",
    "read_parquet",
    "read_shards",
    "relation",
    "rows_in",
]

SUFFIX = ".parquet"


def encode_shard(records: Sequence[Record]) -> bytes:
    """The content of a Parquet file with records.

    Raises:
        ValueError: a condition column cannot be stored; see `to_table`.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(to_table(records), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def pack(paths: Sequence[Path], packed: Path) -> None:
    """Write the records of shards to one file, atomically, in the order of `read_shards`.

    Raises:
        UserError: the file cannot be written.
    """
    try:
        with atomic_path(packed) as temporary, duckdb.connect() as connection:
            query = ordered_query(connection, relation(connection, paths))
            connection.execute(f"COPY ({query}) TO {_text(temporary)} (FORMAT parquet, COMPRESSION zstd)")
    except duckdb.IOException as error:
        raise UserError(f"cannot write {packed}: {' '.join(str(error).split())}") from error


@cache
def column_types() -> dict[str, str]:
    """The SQL types of the fixed columns by name."""
    with duckdb.connect() as connection:
        connection.register("no_records", record_schema().empty_table())
        return {str(row[0]): str(row[1]) for row in connection.execute("DESCRIBE no_records").fetchall()}


def read_parquet(paths: Sequence[Path], *options: str) -> str:
    """SQL, for use after FROM, for the columns of Parquet files as they are stored."""
    literals = ", ".join(_literal(path) for path in paths)
    # A folder named "a=b" is no Hive partition.
    return f"read_parquet({', '.join([f'[{literals}]', *options, 'hive_partitioning = false'])})"


def relation(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> str:
    """An SQL relation, for use after FROM, of the records in shards.

    Args:
        connection: where the relation will be used.
        paths: the shards; without any, the relation is empty and has the fixed columns.

    Returns:
        SQL for a table with the columns of all shards and `filename`. Fixed columns have their types; those that are
        missing in shards of earlier versions have the value that they stood for.

    Raises:
        UserError: a file cannot be read any more.
    """
    if not paths:
        connection.register("no_records", record_schema({"filename": pa.string()}).empty_table())
        return "no_records"
    stored = read_parquet(paths, "union_by_name = true", "filename = true")
    try:
        columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()}
    except duckdb.IOException as error:
        raise UserError(f"cannot read records: {str(error).partition(chr(10))[0]}") from error
    values = {name: f"coalesce({name}, {ADDED[name]})" if name in ADDED else quoted_names([name]) for name in FIXED}
    typed = [f"CAST({values[name]} AS {kind}) AS {name}" for name, kind in column_types().items() if name in columns]
    added = [f"{value} AS {name}" for name, value in ADDED.items() if name not in columns]
    star = f"* REPLACE ({', '.join(typed)})"
    return f"(SELECT {', '.join([star, *added])} FROM {stored})"


def rows_in(path: Path) -> int:
    """The number of records in a shard. Reads only the footer."""
    return int(pq.read_metadata(path).num_rows)


def read_shards(paths: Sequence[Path]) -> pd.DataFrame:
    """Read the records of shards.

    Returns:
        N rows by (model, condition columns, seed, query_id), so that the order does not depend on the shards. The
        columns are the fixed ones, then the condition columns by name.
    """
    with duckdb.connect() as connection:
        return connection.execute(ordered_query(connection, relation(connection, paths))).df()


def ordered_query(connection: duckdb.DuckDBPyConnection, source: str, leading: Sequence[str] = ()) -> str:
    """SQL that selects records in their standard order; see `read_shards`.

    Args:
        connection: where the query will run.
        source: a relation of records.
        leading: columns of `source` to select and to sort by first, in addition to those of records.
    """
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    conditions = sorted(set(columns) - {*FIXED, *RESERVED})
    order = ["model", *conditions, "seed", "query_id", "data", "pair", "episode_id", "query_image", "answer"]
    selected, by = quoted_names([*leading, *FIXED, *conditions]), quoted_names([*leading, *order])
    return f"SELECT {selected} FROM {source} ORDER BY {by}"


def _literal(path: Path) -> str:
    """An SQL string that matches only this file: globs and quotes are escaped, since views take no parameters."""
    return _text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def quoted_names(columns: Sequence[str]) -> str:
    """Column names as SQL lists them, whatever characters they contain."""
    return ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
