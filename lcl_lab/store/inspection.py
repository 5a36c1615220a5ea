"""Finds out whether a run can be read, and what is known of it. Every reader opens runs through this module."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from lcl_lab.atomic import read_json
from lcl_lab.errors import UserError
from lcl_lab.store.event_log import MERGED, STORED, read_events
from lcl_lab.store.provenance import Provenance
from lcl_lab.store.record_check import DamagedRecordsError, check_records
from lcl_lab.store.record_files import record_files
from lcl_lab.store.run_layout import (
    CONFIG,
    EVENTS,
    MANIFEST,
    PACKED,
    RECORDS,
    config_digest,
    creation_time,
    is_finished,
)
from lcl_lab.store.shards import SUFFIX

__all__ = ["BrokenRun", "RunInfo", "check_config", "inspect_run", "logged_checksums"]


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
        files: the files with its records.
        records: the number of records.
    """

    run: str
    study: str
    path: Path
    created: datetime
    config: dict[str, Any]
    provenance: Provenance | None
    files: tuple[Path, ...]
    records: int

    @property
    def finished(self) -> bool:
        """Whether the run has its manifest."""
        return self.provenance is not None

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


def inspect_run(path: Path) -> RunInfo | BrokenRun:
    """Open a run directory, by its absolute path. Its files are checked once, and again after they have changed."""
    try:
        str(path).encode()
        created = creation_time(path)
    except ValueError:  # halves of surrogates stand for bytes that are not UTF-8
        return BrokenRun(path, "its path is not valid UTF-8, or its name does not begin with a date and time")
    content = read_json(path / CONFIG)
    if content is None or not isinstance(content.get("config"), dict):
        return BrokenRun(path, f"{CONFIG} is missing or cannot be read")
    try:
        check_config(content["config"])
    except ValueError as error:
        return BrokenRun(path, f"{CONFIG}: {error}")
    if config_digest(content) != path.name.rpartition("-")[2]:
        return BrokenRun(
            path, f"{CONFIG} was changed: the hash in the name of the directory is not that of its content"
        )
    try:
        manifest = _read_manifest(path) if is_finished(path) else None
        files = _record_files(path, manifest)
        records = check_records(files, _checksums(path, manifest))
    except (DamagedRecordsError, _DamagedRunError, UserError) as error:
        return BrokenRun(path, str(error))
    if manifest and records != manifest.totals.records:
        return BrokenRun(path, f"there are {records} records, but {MANIFEST} lists {manifest.totals.records}")
    return RunInfo(
        run=f"{path.parent.name}/{path.name}",
        study=path.parent.name,
        path=path,
        created=created,
        config=content["config"],
        provenance=manifest.provenance if manifest else None,
        files=tuple(files),
        records=records,
    )


def logged_checksums(run: Path) -> dict[Path, str]:
    """The checksums of the shards of a run, according to its log.

    Raises:
        UserError: the log cannot be read.
    """
    stored = [event for event in read_events(run) if event.get("event") in (STORED, MERGED)]
    return {_shard(run, event.get("cell")): str(event.get("sha256")) for event in stored}


def check_config(config: Mapping[str, object]) -> None:
    """Refuse the configuration of a run whose models or seed cannot be read. It may lack both.

    Raises:
        ValueError: it has a text that is not valid Unicode, a model without a name, or a seed that is no seed.
    """
    json.dumps(config, ensure_ascii=False, default=os.fspath).encode()
    try:
        _Config.model_validate_json(json.dumps(config, default=os.fspath), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}") from None


class _DamagedRunError(ValueError):
    """Something other than the records of a run is damaged; the message says what."""


class _Model(BaseModel):
    name: str


class _Config(BaseModel):
    """What readers of all studies use of a configuration."""

    models: list[_Model] | None = None
    seed: int = Field(0, ge=0, lt=2**63)


class _Shard(BaseModel):
    cell: str
    sha256: str


class _Totals(BaseModel):
    records: int
    sha256: str | None = None  # of the file with all records; not stored by earlier versions


class _Manifest(BaseModel):
    provenance: Provenance
    shards: list[_Shard] = []
    totals: _Totals


def _read_manifest(run: Path) -> _Manifest:
    try:
        return _Manifest.model_validate_json(json.dumps(read_json(run / MANIFEST)), strict=True)
    except ValidationError:
        raise _DamagedRunError(f"{MANIFEST} cannot be read") from None


def _record_files(run: Path, manifest: _Manifest | None) -> list[Path]:
    for name, is_right in ((RECORDS, Path.is_dir), (EVENTS, Path.is_file)):
        if os.path.lexists(run / name) and not is_right(run / name):
            raise _DamagedRunError(f"{name} is not a {'folder' if name == RECORDS else 'file'}")
    files = record_files(run)
    if manifest and files != [run / PACKED]:
        missing = {shard.cell + SUFFIX for shard in manifest.shards} - {file.name for file in files}
        if missing:
            raise _DamagedRunError(f"{min(missing)} is missing, although {MANIFEST} lists it")
    return files


def _checksums(run: Path, manifest: _Manifest | None) -> dict[Path, str]:
    """The known checksums of record files."""
    if manifest is None:
        return logged_checksums(run)
    packed = {run / PACKED: manifest.totals.sha256} if manifest.totals.sha256 else {}
    return {**packed, **{_shard(run, shard.cell): shard.sha256 for shard in manifest.shards}}


def _shard(run: Path, cell: object) -> Path:
    return run / RECORDS / f"{cell}{SUFFIX}"
