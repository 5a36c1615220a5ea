"""Shards: the Parquet files of a run, one a cell, or all in one; and DuckDB's view over any number of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lcl_lab.atomic import TEMPORARY, reporting_os_errors, write_atomic
from lcl_lab.errors import UserError
from lcl_lab.store.records import FIXED, Record, record_schema, to_table

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["SUFFIX", "is_whole", "pack", "read_shards", "relation", "rows_in", "shard_files", "write_shard"]

SUFFIX = ".parquet"


def write_shard(path: Path, records: Sequence[Record]) -> None:
    """Write records as one Parquet file, atomically. Raises ValueError (see to_table) or UserError (disk)."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_table(records)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_atomic(path, sink.getvalue().to_pybytes())


def pack(paths: Sequence[Path], packed: Path) -> None:
    """Write the records of shards as one file, atomically, as `read_shards` orders them. Raises UserError (disk)."""
    import duckdb

    part = packed.with_name(packed.name + TEMPORARY)
    try:
        with reporting_os_errors("write", packed), duckdb.connect() as connection:
            connection.execute(
                f"COPY ({_ordered(connection, paths)}) TO {_text(part)} (FORMAT parquet, COMPRESSION zstd)"
            )
            os.replace(part, packed)
    except duckdb.IOException as error:
        raise UserError(f"cannot write {packed}: {' '.join(str(error).split())}") from error
    finally:
        part.unlink(missing_ok=True)


def shard_files(folder: Path) -> list[Path]:
    """The finished shards in a records folder, by name; none when there is no such folder."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def is_whole(path: Path) -> bool:
    """Whether the file is a Parquet file with the columns of records; reads the footer only."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (pa.ArrowException, OSError):
        return False
    return set(FIXED) <= set(names)


def rows_in(path: Path) -> int:
    """The number of records in a whole shard; reads the footer only."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def relation(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> str:
    """What to put after FROM to read the shards as one table: the columns of all of them, and `filename`.

    Without paths it is an empty table with the fixed columns, which stays registered with the connection.
    """
    import pyarrow as pa

    if not paths:
        connection.register("no_records", record_schema({"filename": pa.string()}).empty_table())
        return "no_records"
    literals = ", ".join(_literal(path) for path in paths)
    # A folder named "a=b" is no Hive partition.
    return f"read_parquet([{literals}], union_by_name = true, filename = true, hive_partitioning = false)"


def read_shards(paths: Sequence[Path]) -> pd.DataFrame:
    """The records of the shards, in an order that does not depend on how they are spread over the shards.

    N rows by (model, condition columns, seed, query_id); columns: the fixed ones, then the condition's, by name.
    """
    import duckdb

    with duckdb.connect() as connection:
        return connection.execute(_ordered(connection, paths)).df()


def _ordered(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> str:
    source = relation(connection, paths)
    columns = [row[0] for row in connection.execute(f"DESCRIBE SELECT * EXCLUDE (filename) FROM {source}").fetchall()]
    conditions = sorted(set(columns) - set(FIXED))
    order = ["model", *conditions, "seed", "query_id", "data", "pair", "episode_id", "query_image", "answer"]
    return f"SELECT {_names([*FIXED, *conditions])} FROM {source} ORDER BY {_names(order)}"


def _literal(path: Path) -> str:
    """The path as an SQL string that matches this one file: globs and quotes escaped (a view takes no parameters)."""
    return _text(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _names(columns: Sequence[str]) -> str:
    return ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
