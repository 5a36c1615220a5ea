"""A run: one directory that grows by whole shards, survives any kill, and ends with a manifest.

<results>/<study>/<YYYYmmdd-HHMMSS, UTC>-<hash8>/
    config.json           study and configuration; the hash is of these two
    records/<cell>.parquet
    records.parquet       the same in one file, once the run is finished: what readers prefer
    events.jsonl
    manifest.json         written last: a run that has it is finished
    run.lock              held while a process has the run open
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
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

_NAME = re.compile(r"[A-Za-z0-9._=-]+")


class Run:
    """An open run. Get one with `Run.open`; close it, or use it in a `with`, to let others open it.

    When the process dies the system lets go of the lock.
    """

    def __init__(self, path: Path, study: str, lock: FileLock) -> None:
        self.path = path
        self.study = study
        self._lock = lock

    @classmethod
    def open(cls, results: Path, study: str, config: Mapping[str, object], fresh: bool = False) -> Run:
        """Continue the newest run of this study and configuration, or start a new one (`fresh`, or none there).

        Raises UserError when the folder cannot be made or written, or when another process has the run open;
        ValueError for a study name that is not [A-Za-z0-9._=-]+; TypeError for a config that is not JSON.
        """
        _check_name("study", study)
        folder = results.absolute() / study
        content = {"study": study, "config": dict(config)}
        digest = hashlib.sha256(canonical_json(content).encode()).hexdigest()[:8]
        with reporting_os_errors("make", folder):
            folder.mkdir(parents=True, exist_ok=True)
        # Two processes that start at once must agree on the directory, and one of them be refused.
        choosing = _locked(folder / ".open.lock", wait=30)
        try:
            earlier = sorted(path for path in folder.glob(f"*-{digest}") if DIRECTORY.fullmatch(path.name))
            path = earlier[-1] if earlier and not fresh else _new_directory(folder, digest)
            lock = _locked(path / "run.lock", wait=0)
        finally:
            choosing.release()
        try:
            _prepare(path, content)
        except BaseException:
            lock.release()
            raise
        return cls(path, study, lock)

    @property
    def finished(self) -> bool:
        """Whether the manifest is there: nothing was left to do."""
        return (self.path / MANIFEST).exists()

    def committed(self) -> set[str]:
        """The cells whose shard is there whole."""
        return {path.name.removesuffix(SUFFIX) for path in self._shards()}

    def commit(self, cell: str, records: Sequence[Record]) -> None:
        """Store the records of a cell, all or none, durably. A finished run is unfinished again by this.

        Raises ValueError for a cell name that is not [A-Za-z0-9._=-]+, a cell that is there, a record of another
        study, columns that cannot be stored, or a closed run; UserError when the disk refuses.
        """
        _check_name("cell", cell)
        self._check_open()
        strangers = {record.study for record in records} - {self.study}
        if strangers:
            raise ValueError(f"records of {', '.join(sorted(strangers))} in a run of {self.study}")
        path = self.path / RECORDS / (cell + SUFFIX)
        if is_whole(path):
            raise ValueError(f"cell {cell!r} is already in {self.path}")
        with reporting_os_errors("write", self.path / MANIFEST):
            (self.path / MANIFEST).unlink(missing_ok=True)
        write_shard(path, records)

    def note(self, event: str, **fields: object) -> None:
        """Append an event with the UTC time to the log. Raises ValueError when closed, UserError when it cannot."""
        self._check_open()
        if "time" in fields:
            raise ValueError("the time of an event is set by the log")
        line = json.dumps({"time": datetime.now(UTC).isoformat(), "event": event, **fields}, default=str) + "\n"
        path = self.path / EVENTS
        with reporting_os_errors("write", path), path.open("a+b") as file:
            file.write(("\n" + line if _is_torn(file) else line).encode())

    def events(self) -> list[dict[str, Any]]:
        """The events, oldest first; lines that a kill tore are left out. Raises UserError."""
        return read_events(self.path)

    def finish(self, provenance: Provenance) -> None:
        """Write all records in one file, then the manifest: provenance, shards with rows and sha256, totals.

        Raises ValueError, UserError.
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
        """All records, N rows by (model, condition columns, seed, query_id), however they came to be committed."""
        return read_shards([path for path in record_files(self.path) if is_whole(path)])

    def close(self) -> None:
        """Let others open the run. The store does not write to it any more through this object."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _shards(self) -> list[Path]:
        return [path for path in shard_files(self.path / RECORDS) if is_whole(path)]

    def _check_open(self) -> None:
        if not self._lock.is_locked:
            raise ValueError(f"the run {self.path} is closed")


def read_events(run: Path) -> list[dict[str, Any]]:
    """The events in a directory, oldest first; lines that a kill tore are left out. Raises UserError."""
    path = run / EVENTS
    if not path.exists():
        return []
    with reporting_os_errors("read", path):
        lines = path.read_bytes().splitlines()
    return [event for event in map(_event, lines) if event is not None]


def record_files(run: Path) -> list[Path]:
    """Where the records of a run directory are: in one file, once it is finished."""
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
            with reporting_os_errors("make", path):
                path.mkdir()
            return path
        moment += timedelta(seconds=1)


def _prepare(path: Path, content: Mapping[str, object]) -> None:
    """Bring a directory into the state that every open run has, wherever its last process was killed."""
    with reporting_os_errors("make", path / RECORDS):
        (path / RECORDS).mkdir(exist_ok=True)
    remove_temporary(path)
    remove_temporary(path / RECORDS)
    if read_json(path / CONFIG) != json.loads(canonical_json(content)):
        write_json(path / CONFIG, content)


def _entry(shard: Path) -> dict[str, Any]:
    with reporting_os_errors("read", shard):
        sha256 = hashlib.sha256(shard.read_bytes()).hexdigest()
    return {"cell": shard.name.removesuffix(SUFFIX), "rows": rows_in(shard), "sha256": sha256}


def _is_torn(log: BinaryIO) -> bool:
    """Whether the last line has no end, so that the next one would be lost with it."""
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
