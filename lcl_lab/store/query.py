"""Reads any number of runs, as frames or DuckDB views. Damaged runs are listed separately and never stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError, nearest
from lcl_lab.store.provenance import Provenance
from lcl_lab.store.records import FIXED, RESERVED
from lcl_lab.store.run_directory import CONFIG, DIRECTORY, MANIFEST, PACKED, RECORDS, record_files, started_at
from lcl_lab.store.shards import (
    SUFFIX,
    is_whole,
    ordered_query,
    quoted_names,
    read_shards,
    relation,
    rows_in,
    shard_files,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BrokenRun",
    "RunInfo",
    "broken_runs",
    "connect",
    "connect_to",
    "read_info",
    "read_records",
    "read_run",
    "runs",
]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A readable run.

    Attributes:
        run: ``study/directory``.
        study: the name of the study.
        path: the run directory.
        created: when the run was started, UTC.
        config: the configuration.
        provenance: None until the run is finished.
    """

    run: str
    study: str
    path: Path
    created: datetime
    config: dict[str, Any]
    provenance: Provenance | None

    @property
    def finished(self) -> bool:
        """Whether the run has its manifest."""
        return self.provenance is not None

    @property
    def records(self) -> int:
        """The number of records. Reads only footers."""
        return sum(map(rows_in, record_files(self.path)))

    @property
    def commit(self) -> str | None:
        """The git commit of the code that finished the run, if known."""
        return self.provenance.commit if self.provenance else None


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A damaged run directory, which queries leave out.

    Attributes:
        path: the run directory.
        reason: what is wrong with it.
    """

    path: Path
    reason: str


def runs(results: Path | str) -> list[RunInfo]:
    """The readable runs of all studies, newest first; none if there is no such folder."""
    return [run for run in _inspect_all(results) if isinstance(run, RunInfo)]


def broken_runs(results: Path | str) -> list[BrokenRun]:
    """The run directories that `runs` and `connect` leave out, newest first."""
    return [run for run in _inspect_all(results) if isinstance(run, BrokenRun)]


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
    """
    connection = duckdb.connect()
    files = [file for info in infos for file in record_files(info.path)]
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
    same = quoted_names(["study", "model", "data", "seed", "query_id", *conditions])
    connection.execute(
        "CREATE VIEW latest AS SELECT records.* FROM records JOIN (SELECT run, created FROM runs) USING (run) "
        f"QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY created DESC, run DESC) = 1"
    )
    return connection


def read_run(path: Path) -> pd.DataFrame:
    """Read the records of one run directory, finished or not.

    Raises:
        UserError: it is not a run directory, or it is damaged.
    """
    return read_shards(record_files(read_info(path).path))


def read_info(path: Path) -> RunInfo:
    """Read what is known of one run directory, finished or not.

    Raises:
        UserError: it is not a run directory, or it is damaged.
    """
    is_run = DIRECTORY.fullmatch(path.absolute().name) and path.is_dir()
    run = _inspect(path.absolute()) if is_run else BrokenRun(path, "give results/STUDY/TIME-HASH")
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


def _inspect_all(results: Path | str) -> list[RunInfo | BrokenRun]:
    directories = [
        path for path in Path(results).absolute().glob("*/*") if DIRECTORY.fullmatch(path.name) and path.is_dir()
    ]
    directories.sort(key=lambda path: (path.name, path.parent.name), reverse=True)
    return [_inspect(path) for path in directories]


def _inspect(path: Path) -> RunInfo | BrokenRun:
    created = started_at(path.name)
    if created is None:
        return BrokenRun(path, "its name has no valid time")
    content = read_json(path / CONFIG)
    if content is None or not isinstance(content.get("config"), dict):
        return BrokenRun(path, f"{CONFIG} is missing or cannot be read")
    provenance = None
    if (path / MANIFEST).exists():
        try:
            manifest = read_json(path / MANIFEST) or {}
            provenance = Provenance.from_json(manifest["provenance"])
            reason = _missing(path, manifest)
        except (KeyError, TypeError, ValueError):
            return BrokenRun(path, f"{MANIFEST} cannot be read")
    else:
        reason = _damaged(path)
    if reason:
        return BrokenRun(path, reason)
    return RunInfo(
        run=f"{path.parent.name}/{path.name}",
        study=path.parent.name,
        path=path,
        created=created,
        config=content["config"],
        provenance=provenance,
    )


def _missing(path: Path, manifest: dict[str, Any]) -> str | None:
    """What is missing of a finished run, according to its manifest. Raises KeyError and TypeError."""
    packed = path / PACKED
    if packed.exists():
        whole = is_whole(packed) and rows_in(packed) == manifest["totals"]["records"]
        return None if whole else f"cannot read {PACKED}"
    expected = {shard["cell"] + SUFFIX for shard in manifest["shards"]}
    missing = expected - {shard.name for shard in shard_files(path / RECORDS)}
    return f"{_first(sorted(missing))} is missing, although {MANIFEST} lists it" if missing else _damaged(path)


def _damaged(path: Path) -> str | None:
    damaged = [shard.name for shard in shard_files(path / RECORDS) if not is_whole(shard)]
    return f"cannot read {_first(damaged)}" if damaged else None


def _first(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} others"
