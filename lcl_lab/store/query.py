"""Reads any number of runs, as frames or DuckDB views. Damaged runs are listed separately and never stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from lcl_lab.errors import UserError, nearest
from lcl_lab.store.inspection import BrokenRun, RunInfo, inspect_run
from lcl_lab.store.records import FIXED, RESERVED
from lcl_lab.store.run_layout import DIRECTORY, RECORDS, run_directories
from lcl_lab.store.shards import ordered_query, quoted_names, read_shards, relation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["all_runs", "broken_runs", "connect", "connect_to", "read_info", "read_records", "read_run", "runs"]


def runs(results: Path | str) -> list[RunInfo]:
    """The readable runs of all studies, newest first; none if there is no such folder."""
    return all_runs(results)[0]


def broken_runs(results: Path | str) -> list[BrokenRun]:
    """The run directories that `runs` and `connect` leave out, newest first."""
    return all_runs(results)[1]


def all_runs(results: Path | str) -> tuple[list[RunInfo], list[BrokenRun]]:
    """The readable runs and the broken ones of all studies, each newest first."""
    inspected = [inspect_run(path) for path in reversed(run_directories(Path(results).absolute(), "*/*"))]
    readable = [run for run in inspected if isinstance(run, RunInfo)]
    return readable, [run for run in inspected if isinstance(run, BrokenRun)]


def connect(results: Path | str, study: str | None = None) -> duckdb.DuckDBPyConnection:
    """Connect to all readable runs, or to those of one study; see `connect_to`."""
    return connect_to([info for info in runs(results) if study in (None, info.study)])


def connect_to(infos: Sequence[RunInfo]) -> duckdb.DuckDBPyConnection:
    """Open an in-memory DuckDB connection with the records of runs.

    Returns:
        A connection with three views. `records` has the fixed columns, the condition columns of all runs (null where a
        run has no such column), `filename`, and `run` ("study/directory"). `latest` has those of the newest run for
        every study, model, dataset, seed, condition and query, so that repeated runs do not count twice. `runs` has
        run, study, finished, path, commit and created (UTC). Without runs, all are empty.

    Raises:
        UserError: a file cannot be read any more.
    """
    connection = duckdb.connect()
    try:
        _create_views(connection, infos)
    except BaseException:
        connection.close()
        raise
    return connection


def read_run(path: Path) -> pd.DataFrame:
    """Read the records of one run directory, finished or not.

    Raises:
        UserError: it is not a run directory, or it is damaged.
    """
    return read_shards(read_info(path).files)


def read_info(path: Path) -> RunInfo:
    """Read what is known of one run directory, finished or not.

    Raises:
        UserError: it is not a run directory, or it is damaged.
    """
    is_run = DIRECTORY.fullmatch(path.absolute().name) and path.is_dir()
    run = inspect_run(path.absolute()) if is_run else BrokenRun(path, "give results/STUDY/TIME-HASH")
    if isinstance(run, BrokenRun):
        raise UserError(f"{path} is not a run: {run.reason}")
    return run


def read_records(results: Path | str = "results", study: str | None = None) -> pd.DataFrame:
    """Read the stored records of all readable runs, finished or not.

    Args:
        results: the folder of all runs.
        study: only read the runs of this study.

    Returns:
        N rows by (run, model, condition columns, seed, query_id), oldest run first within a study. The columns are
        `run` ("study/directory"), the fixed columns of records, then the condition columns of all runs by name, null
        where a run has no such column.

    Raises:
        UserError: there is no such folder, or it has no runs of the study.
    """
    folder = Path(results)
    if not folder.is_dir():
        raise UserError("no such folder", option="results", value=results)
    infos = runs(folder)
    studies = {info.study for info in infos}
    if study is not None and study not in studies:
        hint = nearest(study, studies) if studies else "there are no runs of any study"
        raise UserError(f"{folder} has no runs of this study; {hint}", option="study", value=study)
    with connect_to([info for info in infos if study in (None, info.study)]) as connection:
        return connection.execute(ordered_query(connection, "records", leading=["run"])).df()


def _create_views(connection: duckdb.DuckDBPyConnection, infos: Sequence[RunInfo]) -> None:
    files = [file for info in infos for file in info.files]
    run = f"regexp_extract(filename, '([^/]+/{DIRECTORY.pattern})/({RECORDS}/)?[^/]+$', 1)"
    connection.execute(f"CREATE VIEW records AS SELECT *, {run} AS run FROM {relation(connection, files)}")
    connection.execute(
        "CREATE TABLE runs "
        '(run VARCHAR, study VARCHAR, finished BOOLEAN, path VARCHAR, "commit" VARCHAR, created TIMESTAMP)'
    )
    rows = [
        (info.run, info.study, info.finished, str(info.path), info.commit, info.created.replace(tzinfo=None))
        for info in infos
    ]
    if rows:
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?)", rows)
    columns = [row[0] for row in connection.execute("DESCRIBE records").fetchall()]
    conditions = [name for name in columns if name not in (*FIXED, *RESERVED)]
    same = ", ".join(
        f"records.{quoted_names([name])}" for name in ("study", "model", "data", "seed", "query_id", *conditions)
    )
    connection.execute(
        "CREATE VIEW latest AS SELECT records.* FROM records JOIN (SELECT run, created FROM runs) listed USING (run) "
        f"QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY listed.created DESC, run DESC) = 1"
    )
