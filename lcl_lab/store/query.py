"""Any number of runs as two DuckDB views; a damaged run is listed apart and never stops the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError
from lcl_lab.store.provenance import Provenance
from lcl_lab.store.run import CONFIG, DIRECTORY, MANIFEST, PACKED, RECORDS, STAMP, record_files
from lcl_lab.store.shards import SUFFIX, is_whole, read_shards, relation, rows_in, shard_files

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["BrokenRun", "RunInfo", "broken_runs", "connect", "connect_to", "read_run", "runs"]


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run that can be read, finished or not."""

    run: str  # "study/directory"
    study: str
    path: Path
    created: datetime  # UTC
    config: dict[str, Any]
    provenance: Provenance | None  # None until the run is finished

    @property
    def finished(self) -> bool:
        """Whether the run has its manifest."""
        return self.provenance is not None

    @property
    def records(self) -> int:
        """How many there are; reads footers only."""
        return sum(map(rows_in, record_files(self.path)))

    @property
    def commit(self) -> str | None:
        """The commit that finished the run, when known."""
        return self.provenance.commit if self.provenance else None


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A run directory that is left out of every query, and why."""

    path: Path
    reason: str


def runs(results: Path) -> list[RunInfo]:
    """The readable runs of all studies, newest first; none when the folder is missing."""
    return [found for found in _inspect_all(results) if isinstance(found, RunInfo)]


def broken_runs(results: Path) -> list[BrokenRun]:
    """The run directories that `runs` and `connect` leave out, newest first."""
    return [found for found in _inspect_all(results) if isinstance(found, BrokenRun)]


def connect(results: Path, study: str | None = None) -> duckdb.DuckDBPyConnection:
    """`connect_to` all readable runs, or those of one study, as of now."""
    return connect_to([info for info in runs(results) if study in (None, info.study)])


def connect_to(infos: Sequence[RunInfo]) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with the records of some runs.

    View `records`: the columns of every record, the condition columns of all the runs (null where a run has none of
    that name), `filename`, and `run` ("study/directory"). View `runs`: run, study, finished, path, commit, created
    (UTC). Both are empty, with their columns, when there is nothing.
    """
    import duckdb

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
    return connection


def read_run(path: Path) -> pd.DataFrame:
    """The records of one run directory, finished or not.

    Raises:
        UserError: it is none, or damaged.
    """
    named = DIRECTORY.fullmatch(path.absolute().name) and path.is_dir()
    found = _inspect(path.absolute()) if named else BrokenRun(path, "give results/STUDY/TIME-HASH")
    if isinstance(found, BrokenRun):
        raise UserError(f"{path} is not a run: {found.reason}")
    return read_shards(record_files(found.path))


def _inspect_all(results: Path) -> list[RunInfo | BrokenRun]:
    directories = [path for path in results.absolute().glob("*/*") if DIRECTORY.fullmatch(path.name) and path.is_dir()]
    directories.sort(key=lambda path: (path.name, path.parent.name), reverse=True)
    return [_inspect(path) for path in directories]


def _inspect(path: Path) -> RunInfo | BrokenRun:
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
        created=datetime.strptime(path.name[:15], STAMP).replace(tzinfo=UTC),
        config=content["config"],
        provenance=provenance,
    )


def _missing(path: Path, manifest: dict[str, Any]) -> str | None:
    """What of a finished run is not there as its manifest says. Raises KeyError, TypeError."""
    packed = path / PACKED
    if packed.exists():
        whole = is_whole(packed) and rows_in(packed) == manifest["totals"]["records"]
        return None if whole else f"cannot read {PACKED}"
    expected = {shard["cell"] + SUFFIX for shard in manifest["shards"]}
    missing = expected - {shard.name for shard in shard_files(path / RECORDS)}
    return f"{_first(sorted(missing))} in {MANIFEST} and not there" if missing else _damaged(path)


def _damaged(path: Path) -> str | None:
    damaged = [shard.name for shard in shard_files(path / RECORDS) if not is_whole(shard)]
    return f"cannot read {_first(damaged)}" if damaged else None


def _first(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} others"
