"""The files of a run directory, and what its name says.

<results>/<study>/<YYYYmmdd-HHMMSS, UTC>-<hash8>/    later than all others of the study, whatever the clock says
    config.json           study and configuration; the hash covers these two
    records/<cell>.parquet
    records/+<level>-<hash16>.parquet   the records of many cells; see `lcl_lab.store.compaction`
    records.parquet       all records in one file, once the run is finished; preferred by readers
    events.jsonl          among others, the checksum of every shard
    manifest.json         written last; a run that has it is finished
    run.lock              held while a process has the run open
    notes.json            note and tags that a user gave the run, if any
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lcl_lab.atomic import canonical_json

__all__ = [
    "CONFIG",
    "DIRECTORY",
    "EVENTS",
    "MANIFEST",
    "NOTES",
    "OPEN_LOCK",
    "PACKED",
    "RECORDS",
    "RUN_LOCK",
    "STAMP",
    "config_digest",
    "creation_time",
    "existing",
    "is_finished",
    "run_directories",
]

CONFIG, MANIFEST, RECORDS, EVENTS = "config.json", "manifest.json", "records", "events.jsonl"
PACKED, NOTES = "records.parquet", "notes.json"
RUN_LOCK = "run.lock"
OPEN_LOCK = ".open.lock"
"""In the folder of a study's runs: held while a process chooses which of them to open."""
STAMP = "%Y%m%d-%H%M%S"
DIRECTORY = re.compile("[0-9]{8}-[0-9]{6}-[0-9a-f]{8}")


def config_digest(content: Mapping[str, object]) -> str:
    """The hash in the name of a run directory, of the content of its `CONFIG`.

    Raises:
        TypeError, ValueError: the content is not JSON.
    """
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:8]


def creation_time(run: Path) -> datetime:
    """When a run was started, UTC, according to the name of its directory.

    Raises:
        ValueError: there is no such time.
    """
    return datetime.strptime(run.name.rpartition("-")[0], STAMP).replace(tzinfo=UTC)


def is_finished(run: Path) -> bool:
    """Whether a run has a manifest, readable or not."""
    return os.path.lexists(run / MANIFEST)


def run_directories(results: Path, pattern: str) -> list[Path]:
    """The run directories in a folder that match a glob pattern, oldest first."""
    runs = [path for path in existing(results, pattern) if DIRECTORY.fullmatch(path.name) and path.is_dir()]
    return sorted(runs, key=lambda path: (path.name, path.parent.name))


def existing(folder: Path, pattern: str) -> list[Path]:
    """`Path.glob`, which in Python 3.11 raises an error when a folder vanishes that it is about to read."""
    return [folder / name for name in glob.glob(pattern, root_dir=folder, include_hidden=True)]
