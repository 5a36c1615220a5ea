"""A run: a directory that grows by complete shards, survives a kill at any moment, and ends with a manifest.

<results>/<study>/<YYYYmmdd-HHMMSS, UTC>-<hash8>/
    config.json           study and configuration; the hash covers these two
    records/<cell>.parquet
    records.parquet       all records in one file, once the run is finished; preferred by readers
    events.jsonl
    manifest.json         written last; a run that has it is finished
    run.lock              held while a process has the run open
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from filelock import FileLock, Timeout

from lcl_lab.atomic import canonical_json, read_json, remove_temporary, reporting_os_errors, write_json
from lcl_lab.errors import UserError
from lcl_lab.store.provenance import Provenance
from lcl_lab.store.records import Record
from lcl_lab.store.shards import SUFFIX, is_whole, pack, read_shards, rows_in, shard_files, write_shard

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CONFIG", "DIRECTORY", "MANIFEST", "PACKED", "RECORDS", "STAMP", "Run", "read_events", "record_files"]

CONFIG, MANIFEST, RECORDS, EVENTS = "config.json", "manifest.json", "records", "events.jsonl"
PACKED = "records.parquet"
STAMP = "%Y%m%d-%H%M%S"
DIRECTORY = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")

_LOCK = "run.lock"
_CODE_EVENT = "evaluating"  # with the code that computes the records that follow
_NAME = re.compile(r"[A-Za-z0-9._=-]+")


class Run:
    """An open run, as returned by `Run.open`. Only one process can have a run open.

    Close it, or use it in a `with` statement, so that others can open it. If the process dies, the operating system
    releases the lock.

    Attributes:
        path: the directory of the run.
        study: the name of the study.
        not_resumed: the newest run, if it is unfinished and other code computed its records, so that this one was
            opened in its place; else None.
    """

    def __init__(
        self, path: Path, study: str, lock: FileLock, code: str | None = None, not_resumed: Path | None = None
    ) -> None:
        self.path = path
        self.study = study
        self.not_resumed = not_resumed
        self._lock = lock
        self._code = code
        self._code_is_noted = False

    @classmethod
    def open(
        cls,
        results: Path,
        study: str,
        config: Mapping[str, object],
        fresh: bool = False,
        code: str | None = None,
        cells: Collection[str] | None = None,
    ) -> Run:
        """Open the newest run of a study and configuration, or a new one.

        An unfinished run is not resumed if other code computed some of its records, so that no run mixes the answers
        of two versions. A finished run is opened whatever the code, and so is one that lacks only its report. In a
        folder without write access, a finished run is opened for reading.

        Args:
            results: the folder of all runs.
            study: the name of the study.
            config: the configuration, as JSON values.
            fresh: always start a new run.
            code: a digest of the code that computes records, which is noted in the log of the run with its first
                record; None resumes any run.
            cells: all cells of a complete run, where they are known.

        Raises:
            UserError: the folder cannot be written, or another process has the run open.
            ValueError: the study name does not match ``[A-Za-z0-9._=-]+``.
            TypeError: the configuration is not JSON.
        """
        _check_name("study", study)
        folder = results.absolute() / study
        content = {"study": study, "config": dict(config)}
        digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()[:8]
        with reporting_os_errors("create", folder):
            folder.mkdir(parents=True, exist_ok=True)
        finished = None if fresh or os.access(folder, os.W_OK) else _newest_finished(_earlier(folder, digest))
        if finished is not None:  # in a folder without write access, where nothing can be locked
            return cls(finished, study, FileLock(finished / _LOCK), code)
        # Two processes that start at once must choose the same directory, and one of them is then refused.
        choosing = _locked(folder / ".open.lock", wait=30)
        try:
            earlier = _earlier(folder, digest)
            found = None if fresh else _newest_of_code(earlier, code, cells)
            path = found or _new_directory(folder, digest)
            lock = _locked(path / _LOCK, wait=0)
        finally:
            choosing.release()
        try:
            _prepare(path, content)
        except BaseException:
            lock.release()
            raise
        not_resumed = earlier[-1] if earlier and not fresh and path != earlier[-1] else None
        return cls(path, study, lock, code, not_resumed)

    @property
    def finished(self) -> bool:
        """Whether the run has a manifest, so that nothing is left to do."""
        return (self.path / MANIFEST).exists()

    def committed(self) -> set[str]:
        """The cells whose records are completely stored."""
        return _committed(self.path)

    def commit(self, cell: str, records: Sequence[Record]) -> None:
        """Store the records of a cell durably, either all or none. This makes a finished run unfinished again.

        Args:
            cell: the name of the cell, which matches ``[A-Za-z0-9._=-]+``.
            records: its records.

        Raises:
            ValueError: the name is wrong or taken, a record belongs to another study, a column cannot be stored, or
                the run is closed.
            UserError: the file cannot be written.
        """
        _check_name("cell", cell)
        self._check_open()
        others = {record.study for record in records} - {self.study}
        if others:
            raise ValueError(f"records of {', '.join(sorted(others))} in a run of {self.study}")
        path = self.path / RECORDS / (cell + SUFFIX)
        if is_whole(path):
            raise ValueError(f"cell {cell!r} is already in {self.path}")
        with reporting_os_errors("write", self.path / MANIFEST):
            (self.path / MANIFEST).unlink(missing_ok=True)
        if self._code is not None and not self._code_is_noted:
            self.note(_CODE_EVENT, code=self._code)  # before the records, in case the process is killed in between
            self._code_is_noted = True
        write_shard(path, records)

    def note(self, event: str, **fields: object) -> None:
        """Append an event to the log, with the UTC time.

        Raises:
            ValueError: the run is closed, or a field is named ``time``.
            UserError: the log cannot be written.
        """
        self._check_open()
        if "time" in fields:
            raise ValueError("the time of an event is set by the log")
        line = json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **fields}, default=str) + "\n"
        path = self.path / EVENTS
        with reporting_os_errors("write", path), path.open("a+b") as file:
            file.write(("\n" + line if _is_incomplete(file) else line).encode())

    def events(self) -> list[dict[str, Any]]:
        """The events, oldest first; see `read_events`."""
        return read_events(self.path)

    def finish(self, provenance: Provenance) -> None:
        """Write all records to one file, then the manifest with provenance, shards (rows, sha256) and totals.

        Raises:
            ValueError: the run is closed.
            UserError: a file cannot be written.
        """
        self._check_open()
        if self._shards():
            pack(self._shards(), self.path / PACKED)
        shards = [_entry(path) for path in self._shards()]
        write_json(
            self.path / MANIFEST,
            {
                "study": self.study,
                "provenance": provenance.to_json(),
                "shards": shards,
                "totals": {"shards": len(shards), "records": sum(shard["rows"] for shard in shards)},
            },
        )

    def records(self) -> pd.DataFrame:
        """All records: N rows by (model, condition columns, seed, query_id), whatever the order of commits."""
        return read_shards([path for path in record_files(self.path) if is_whole(path)])

    def close(self) -> None:
        """Release the run, so that others can open it; this object can no longer write to it."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shards(self) -> list[Path]:
        return _whole_shards(self.path)

    def _check_open(self) -> None:
        if not self._lock.is_locked:
            raise ValueError(f"the run {self.path} is closed")


def read_events(run: Path) -> list[dict[str, Any]]:
    """Read the events of a run directory, oldest first. Lines that a kill left incomplete are skipped.

    Raises:
        UserError: the log cannot be read.
    """
    path = run / EVENTS
    if not path.exists():
        return []
    with reporting_os_errors("read", path):
        lines = path.read_bytes().splitlines()
    return [event for event in map(_event, lines) if event is not None]


def record_files(run: Path) -> list[Path]:
    """The files with the records of a run directory: one file if the run is finished, else its shards."""
    packed = run / PACKED
    return [packed] if (run / MANIFEST).exists() and packed.exists() else shard_files(run / RECORDS)


def _check_name(what: str, name: str) -> None:
    if not _NAME.fullmatch(name) or name in {".", ".."}:
        raise ValueError(f"{what} name {name!r} must match {_NAME.pattern}")


def _locked(path: Path, wait: float) -> FileLock:
    lock = FileLock(path, timeout=wait, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(f"{path.parent} is open in another process: wait for it, or stop it") from None
    except OSError as error:
        raise UserError(f"cannot lock {path}: {error.strerror or error}") from error
    return lock


def _new_directory(folder: Path, digest: str) -> Path:
    moment = datetime.now(UTC)
    while True:
        path = folder / f"{moment.strftime(STAMP)}-{digest}"
        if not path.exists():
            with reporting_os_errors("create", path):
                path.mkdir()
            return path
        moment += timedelta(seconds=1)


def _earlier(folder: Path, digest: str) -> list[Path]:
    """The directories of a configuration, oldest first."""
    return sorted(path for path in folder.glob(f"*-{digest}") if DIRECTORY.fullmatch(path.name))


def _newest_finished(earlier: Sequence[Path]) -> Path | None:
    """The newest of some runs if it is finished."""
    return earlier[-1] if earlier and (earlier[-1] / MANIFEST).exists() else None


def _newest_of_code(earlier: Sequence[Path], code: str | None, cells: Collection[str] | None) -> Path | None:
    """The newest of some runs, or the newest unfinished one after the last finished one that this code may resume."""
    for path in reversed(earlier):
        if (path / MANIFEST).exists():
            return path if path == earlier[-1] else None
        if _may_resume(path, code, cells):
            return path
    return None


def _may_resume(path: Path, code: str | None, cells: Collection[str] | None) -> bool:
    """Whether no other code computed records of an unfinished run, as far as is known, or none are missing."""
    if code is None:
        return True
    committed = _committed(path)
    if not committed or (cells is not None and committed.issuperset(cells)):
        return True
    return {event["code"] for event in read_events(path) if event.get("event") == _CODE_EVENT} <= {code}


def _committed(path: Path) -> set[str]:
    return {shard.name.removesuffix(SUFFIX) for shard in _whole_shards(path)}


def _whole_shards(path: Path) -> list[Path]:
    return [shard for shard in shard_files(path / RECORDS) if is_whole(shard)]


def _prepare(path: Path, content: Mapping[str, object]) -> None:
    """Bring a directory into the state of an open run, wherever its last process was killed."""
    with reporting_os_errors("create", path / RECORDS):
        (path / RECORDS).mkdir(exist_ok=True)
    remove_temporary(path)
    remove_temporary(path / RECORDS)
    if read_json(path / CONFIG) != json.loads(canonical_json(content)):
        write_json(path / CONFIG, content)


def _entry(shard: Path) -> dict[str, Any]:
    with reporting_os_errors("read", shard):
        sha256 = hashlib.sha256(shard.read_bytes()).hexdigest()
    return {"cell": shard.name.removesuffix(SUFFIX), "rows": rows_in(shard), "sha256": sha256}


def _is_incomplete(log: BinaryIO) -> bool:
    """Whether the last line is incomplete, so that a line appended to it would be lost."""
    if not log.seek(0, os.SEEK_END):
        return False
    log.seek(-1, os.SEEK_END)
    return log.read(1) != b"\n"


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
