"""Checks files of records once, and remembers the result while a file stays the same.

A file whose checksum is known must have it. One of an earlier version, without a checksum, is read completely. Either
must have the columns of records, so that a query over many files can trust each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lcl_lab.errors import UserError
from lcl_lab.per_file_cache import cached_results
from lcl_lab.source_code import source_digest
from lcl_lab.store.records import ADDED, FIXED, Record, check_columns
from lcl_lab.store.shards import column_types, quoted_names, read_parquet

__all__ = ["DamagedRecordsError", "check_records", "checksum"]

_NULL = '"NULL"'  # the type of a column without any value
_INTEGERS = frozenset("TINYINT SMALLINT INTEGER BIGINT UTINYINT USMALLINT UINTEGER".split())
_READ_AS = {"BIGINT": _INTEGERS, "DOUBLE": _INTEGERS | {"FLOAT", "DOUBLE"}}
"""Types of stored columns that are read as another without loss."""
_CONDITION_TYPES = {*_READ_AS["DOUBLE"], "UBIGINT", "VARCHAR", "BOOLEAN", _NULL}
_NULLABLE = {"support", *ADDED, *(field.name for field in fields(Record) if str(field.type).endswith(" | None"))}
_REQUIRED = [name for name in FIXED if name not in _NULLABLE]

_RULES = tuple(f"store/{name}.py" for name in ("record_check", "records", "arrow", "shards"))
"""The source of what is checked: another version checks files again."""
_CHANGED = "its SHA-256 is not the one that was stored"
_UNREADABLE = (duckdb.Error, pa.ArrowException, OSError, ValueError, RuntimeError, MemoryError)
"""What the libraries raise for damaged files."""
_Connect = Callable[[], duckdb.DuckDBPyConnection]


class DamagedRecordsError(ValueError):
    """A file of records cannot be used; the message says which one, and why."""


def check_records(files: Sequence[Path], checksums: Mapping[Path, str]) -> int:
    """Check the files of one run.

    Args:
        files: the files, all in one folder.
        checksums: the known checksums, by file.

    Returns:
        The number of records in all files.

    Raises:
        DamagedRecordsError: a file is missing or damaged, or does not contain records.
    """
    for file in files:
        if not file.is_file():
            raise DamagedRecordsError(f"{file.name} is not a file")
    with ExitStack() as stack:

        @cache
        def connection() -> duckdb.DuckDBPyConnection:  # opened for the first file that is not known yet
            return stack.enter_context(duckdb.connect())

        known = [file for file in files if file in checksums]
        unknown = [file for file in files if file not in checksums]
        return _count_known(known, checksums, connection) + _count_unknown(unknown, connection)


def checksum(file: Path | str) -> str:
    """The SHA-256 of a file, as 64 hex digits.

    Raises:
        OSError: it cannot be read.
    """
    with open(file, "rb") as opened:
        return file_digest(opened, sha256).hexdigest()


def _count_known(files: Sequence[Path], checksums: Mapping[Path, str], connect: _Connect) -> int:
    def check(file: Path) -> str:
        digest = checksum(file)
        if digest != checksums[file]:
            raise ValueError(_CHANGED)
        return f"{digest} {_inspect(connect(), file, complete=False)}"

    results = [result.split() for result in _results(files, "intact_records", check)]
    for file, (digest, _) in zip(files, results, strict=True):
        if digest != checksums[file]:
            raise DamagedRecordsError(f"{file.name}: {_CHANGED}")
    return sum(int(rows) for _, rows in results)


def _count_unknown(files: Sequence[Path], connect: _Connect) -> int:
    return sum(
        map(int, _results(files, "readable_records", lambda file: str(_inspect(connect(), file, complete=True))))
    )


def _results(files: Sequence[Path], kind: str, check: Callable[[Path], str]) -> list[str]:
    """The results of a check for each file; raises for the first file that it refuses."""
    problems: dict[str, str] = {}

    def compute(path: str) -> str | None:
        try:
            return check(Path(path))
        except _UNREADABLE as error:
            problems[path] = _line(error)
            return None

    try:
        results = cached_results(files, f"{kind}/{source_digest(*_RULES)}", compute, threads=1)
    except UserError as error:  # removed since
        raise DamagedRecordsError(str(error)) from error
    for path, problem in sorted(problems.items()):
        raise DamagedRecordsError(f"{Path(path).name}: {problem}")
    return [result for result in results if result is not None]


def _inspect(connection: duckdb.DuckDBPyConnection, file: Path, complete: bool) -> int:
    """The number of records in a file; raises an error if they cannot be used."""
    stored = read_parquet([file])
    types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE SELECT * FROM {stored}").fetchall()}
    names = pq.read_schema(file).names
    check_columns(name for name in names if name not in FIXED)
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    missing = [name for name in FIXED if name not in types and name not in ADDED]
    if missing:
        raise ValueError(f"there is no column {missing[0]}")
    for name, kind in types.items():
        expected = column_types().get(name)
        if expected is None and kind not in _CONDITION_TYPES:
            raise ValueError(f"column {name!r} contains neither numbers nor text")
        if expected is not None and kind not in {expected, _NULL, *_READ_AS.get(expected, ())}:
            raise ValueError(f"column {name} has values of another type")
    if complete:
        _read_values(connection, stored)
    (rows,) = connection.execute(f"SELECT count(*) FROM {stored}").fetchone() or (0,)
    return int(rows)


def _read_values(connection: duckdb.DuckDBPyConnection, stored: str) -> None:
    """Decode every value; raises an error if that fails, or if a value is missing."""
    missing = " OR ".join(f"{quoted_names([name])} IS NULL" for name in _REQUIRED)
    query = f"SELECT count(*) FILTER (WHERE {missing}), bit_xor(hash(COLUMNS(*))) FROM {stored}"
    count = (connection.execute(query).fetchone() or (0,))[0]
    if count:
        raise ValueError(f"{count} records lack a value of {', '.join(_REQUIRED[:-1])} or {_REQUIRED[-1]}")


def _line(error: BaseException) -> str:
    """The first line of an error, which names the problem."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
