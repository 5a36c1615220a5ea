"""A run: a directory that grows by complete shards, survives a kill at any moment, and ends with a manifest."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock, Timeout

from lcl_lab.atomic import (
    canonical_json,
    read_json,
    remove_temporary,
    reporting_os_errors,
    write_atomic,
    write_json,
)
from lcl_lab.errors import UserError
from lcl_lab.file_locks import PROBED
from lcl_lab.store.compaction import compact, remove_replaced
from lcl_lab.store.event_log import STORED, append_event, read_events
from lcl_lab.store.inspection import BrokenRun, RunInfo, check_config, inspect_run, logged_checksums
from lcl_lab.store.provenance import Provenance
from lcl_lab.store.record_check import checksum
from lcl_lab.store.record_files import shard_files, stored_cells
from lcl_lab.store.records import Record
from lcl_lab.store.run_layout import (
    CONFIG,
    MANIFEST,
    OPEN_LOCK,
    PACKED,
    RECORDS,
    RUN_LOCK,
    STAMP,
    config_digest,
    creation_time,
    is_finished,
    run_directories,
)
from lcl_lab.store.shards import SUFFIX, encode_shard, pack, read_shards, rows_in

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Run"]

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
        broken: the newest run, if it is broken, so that this one was opened in its place; else None.
    """

    def __init__(
        self,
        path: Path,
        study: str,
        lock: FileLock,
        code: str | None = None,
        not_resumed: Path | None = None,
        broken: BrokenRun | None = None,
    ) -> None:
        self.path = path
        self.study = study
        self.not_resumed = not_resumed
        self.broken = broken
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
        of two versions. A finished run is opened whatever the code, and so is one that lacks only its report. A broken
        run is left as it is. In a folder without write access, a finished run is opened for reading.

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
            ValueError: the study name does not match ``[A-Za-z0-9._=-]+``, or the configuration has models without
                names, or a seed that is no seed.
            TypeError: the configuration is not JSON.
        """
        _check_name("study", study)
        check_config(config)
        folder = results.absolute() / study
        content = {"study": study, "config": dict(config)}
        digest = config_digest(content)
        with reporting_os_errors("create", folder):
            folder.mkdir(parents=True, exist_ok=True)
        if not fresh and not os.access(folder, os.W_OK):  # where nothing can be locked, and nothing changes
            earlier, broken = _usable(run_directories(folder, f"*-{digest}"))
            if earlier and is_finished(earlier[-1]):
                return cls(earlier[-1], study, FileLock(earlier[-1] / RUN_LOCK), code, broken=broken)
        # Two processes that start at once must choose the same directory, and one of them is then refused.
        choosing = _locked(folder / OPEN_LOCK, wait=30)
        try:
            earlier, broken = ([], None) if fresh else _usable(run_directories(folder, f"*-{digest}"))
            found = _newest_of_code(earlier, code, cells)
            path = found or _new_directory(folder, digest)
            lock = _locked(path / RUN_LOCK, wait=PROBED)
        finally:
            choosing.release()
        try:
            _prepare(path, content)
        except BaseException:
            lock.release()
            raise
        not_resumed = earlier[-1] if earlier and path != earlier[-1] else None
        return cls(path, study, lock, code, not_resumed, broken)

    @property
    def finished(self) -> bool:
        """Whether the run has a manifest, so that nothing is left to do."""
        return is_finished(self.path)

    def committed(self) -> set[str]:
        """The cells whose records are completely stored."""
        return stored_cells(self.path)

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
        if os.path.lexists(path) or cell in self.committed():
            raise ValueError(f"cell {cell!r} is already in {self.path}")
        content = encode_shard(records)
        with reporting_os_errors("write", self.path / MANIFEST):
            (self.path / MANIFEST).unlink(missing_ok=True)
        if self._code is not None and not self._code_is_noted:
            self.note(_CODE_EVENT, code=self._code)  # before the records, in case the process is killed in between
            self._code_is_noted = True
        self.note(STORED, cell=cell, sha256=sha256(content).hexdigest(), records=len(records))
        write_atomic(path, content)
        compact(self.path, self.note, lambda: logged_checksums(self.path))

    def note(self, event: str, **fields: object) -> None:
        """Append an event to the log, with the UTC time.

        Raises:
            ValueError: the run is closed, or a field is named ``time``.
            UserError: the log cannot be written.
        """
        self._check_open()
        append_event(self.path, event, **fields)

    def events(self) -> list[dict[str, Any]]:
        """The events, oldest first; see `read_events`."""
        return read_events(self.path)

    def finish(self, provenance: Provenance) -> None:
        """Write all records to one file, then the manifest with provenance, shards and totals, and their checksums.

        Raises:
            ValueError: the run is closed.
            UserError: a shard is damaged, or a file cannot be written.
        """
        self._check_open()
        self._inspect()
        shards, packed = shard_files(self.path), self.path / PACKED
        totals: dict[str, Any] = {"shards": len(shards), "records": sum(map(rows_in, shards))}
        if shards:
            pack(shards, packed)
            totals["sha256"] = _checksum(packed)
        manifest = {
            "study": self.study,
            "provenance": provenance.to_json(),
            "shards": [
                {"cell": shard.name.removesuffix(SUFFIX), "rows": rows_in(shard), "sha256": _checksum(shard)}
                for shard in shards
            ],
            "totals": totals,
        }
        write_json(self.path / MANIFEST, manifest)

    def records(self) -> pd.DataFrame:
        """All records: N rows by (model, condition columns, seed, query_id), whatever the order of commits.

        Raises:
            UserError: the run is damaged.
        """
        return read_shards(self._inspect().files)

    def close(self) -> None:
        """Release the run, so that others can open it; this object can no longer write to it."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _inspect(self) -> RunInfo:
        run = inspect_run(self.path)
        if isinstance(run, BrokenRun):
            raise UserError(f"{self.path} is broken: {run.reason}")
        return run

    def _check_open(self) -> None:
        if not self._lock.is_locked:
            raise ValueError(f"the run {self.path} is closed")


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
    """Create a directory that sorts after all others of the study, even if the clock was set back since."""
    moments = [datetime.now(UTC)]
    for other in run_directories(folder, "*"):
        with suppress(ValueError, OverflowError):  # its name is no time, or the last one that there is
            moments.append(creation_time(other) + timedelta(seconds=1))
    path = folder / f"{max(moments).strftime(STAMP)}-{digest}"
    with reporting_os_errors("create", path):
        path.mkdir()
    return path


def _usable(earlier: Sequence[Path]) -> tuple[list[Path], BrokenRun | None]:
    """Those of some runs that can be resumed or read; and the newest of them, if it is broken."""
    inspected = {path: None if _is_empty(path) else inspect_run(path) for path in earlier}
    newest = inspected[earlier[-1]] if earlier else None
    usable = [path for path, run in inspected.items() if not isinstance(run, BrokenRun)]
    return usable, newest if isinstance(newest, BrokenRun) else None


def _is_empty(path: Path) -> bool:
    """Whether the process that created a run was killed before it wrote anything."""
    return not (os.path.lexists(path / CONFIG) or is_finished(path) or shard_files(path))


def _newest_of_code(earlier: Sequence[Path], code: str | None, cells: Collection[str] | None) -> Path | None:
    """The newest of some runs, or the newest unfinished one after the last finished one that this code may resume."""
    for path in reversed(earlier):
        if is_finished(path):
            return path if path == earlier[-1] else None
        if _may_resume(path, code, cells):
            return path
    return None


def _may_resume(path: Path, code: str | None, cells: Collection[str] | None) -> bool:
    """Whether no other code computed records of an unfinished run, as far as is known, or none are missing."""
    if code is None:
        return True
    committed = stored_cells(path)
    if not committed or (cells is not None and committed.issuperset(cells)):
        return True
    return {str(event.get("code")) for event in read_events(path) if event.get("event") == _CODE_EVENT} <= {code}


def _prepare(path: Path, content: Mapping[str, object]) -> None:
    """Bring a directory into the state of an open run, wherever its last process was killed."""
    with reporting_os_errors("create", path / RECORDS):
        (path / RECORDS).mkdir(exist_ok=True)
    remove_temporary(path)
    remove_temporary(path / RECORDS)
    remove_replaced(path)
    if read_json(path / CONFIG) != json.loads(canonical_json(content)):
        write_json(path / CONFIG, content)


def _checksum(file: Path) -> str:
    with reporting_os_errors("read", file):
        return checksum(file)
