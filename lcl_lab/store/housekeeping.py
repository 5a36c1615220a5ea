"""Keeps a results folder in order: which runs are open, what they take, and how they move to the archive or the trash.

<results>/<study>/<run>            in use: everything that reads results finds it
<results>/archive/<study>/<run>    archived
<results>/trash/<study>/<run>      deleted; nothing is ever removed from here

Both folders are results folders themselves, which `all_runs` reads. A run moves with all its files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lcl_lab.atomic import reporting_os_errors
from lcl_lab.errors import UserError
from lcl_lab.file_locks import is_held, locked
from lcl_lab.store.run_layout import DIRECTORY, OPEN_LOCK, RUN_LOCK

__all__ = ["ARCHIVE", "TRASH", "disk_use", "is_open", "move_run"]

ARCHIVE, TRASH = "archive", "trash"


def is_open(run: Path) -> bool:
    """Whether a process has a run open at this moment; not if it was killed."""
    return is_held(run / RUN_LOCK)


def move_run(run: Path, results: Path) -> Path:
    """Move a run to another results folder, such as from `results` to `results/trash`, or back.

    Args:
        run: the run directory.
        results: the results folder to move it to, on the same disk.

    Returns:
        The new run directory.

    Raises:
        UserError: a process has the run open, it is not there any more, the other folder already has a run of its name,
            or a folder cannot be written.
    """
    target = results / run.parent.name / run.name
    if not (DIRECTORY.fullmatch(run.name) and run.is_dir()):
        raise UserError(f"there is no run {run} any more")
    busy = f"{run} is being run: wait for it, or stop it"
    with locked(run.parent / OPEN_LOCK, busy, wait=30), locked(run / RUN_LOCK, busy):
        if os.path.lexists(target):
            raise UserError(f"cannot move {run}: {target} already exists")
        with reporting_os_errors("move", run):
            target.parent.mkdir(parents=True, exist_ok=True)
            run.rename(target)
    return target


def disk_use(folder: Path) -> int:
    """The bytes of all files below a folder; links are not followed, and what cannot be read counts as nothing."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(Path(entry.path))
            continue
        try:
            yield entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
