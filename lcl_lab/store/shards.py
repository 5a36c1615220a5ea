"""Shards: the Parquet files of a run, one per cell or all records in one; and DuckDB relations over any of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.atomic import atomic_path, write_atomic
from lcl_lab.errors import UserError
from lcl_lab.store.arrow import record_schema, to_table
from lcl_lab.store.records import ADDED, FIXED, RESERVED, Record

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SUFFIX",
    "is_whole",
    "ordered_query",
    "pack",
    "quoted_names",
    "read_shards",
    "relation",
    "rows_in",
    "shard_files",
    "write_shard",
]

SUFFIX = ".parquet"


def write_shard(path: Path, records: Sequence[Record]) -> None:
    """Write records to a Parquet file, atomically.

    Raises:
        ValueError: a condition column cannot be stored; see `to_table`.
        UserError: the file cannot be written.
    """
    table = to_table(records)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_atomic(path, sink.getvalue().to_pybytes())


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


def shard_files(folder: Path) -> list[Path]:
    """The complete shards in a folder, by name; none if there is no such folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def is_whole(path: Path) -> bool:
    """Whether a file is a Parquet file with the columns of records. Reads only the footer."""
    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False
    return set(FIXED) - set(ADDED) <= set(names)


def rows_in(path: Path) -> int:
    """The number of records in a shard. Reads only the footer."""
    return int(pq.read_metadata(path).num_rows)


def relation(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> str:
    """An SQL relation, for use after FROM, of the records in shards.

    Args:
        connection: where the relation will be used.
        paths: the shards; without any, the relation is empty and has the fixed columns.

    Returns:
        SQL for a table with the columns of all shards and `filename`; columns that are missing in shards of earlier
        versions have the value that they stood for.
    """
    if not paths:
        connection.register("no_records", record_schema({"filename": pa.string()}).empty_table())
        return "no_records"
    literals = ", ".join(_literal(path) for path in paths)
    # A folder named "a=b" is no Hive partition.
    stored = f"read_parquet([{literals}], union_by_name = true, filename = true, hive_partitioning = false)"
    columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()}
    filled = [f"coalesce({name}, {value}) AS {name}" for name, value in ADDED.items() if name in columns]
    added = [f"{value} AS {name}" for name, value in ADDED.items() if name not in columns]
    star = f"* REPLACE ({', '.join(filled)})" if filled else "*"
    return f"(SELECT {', '.join([star, *added])} FROM {stored})"


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
