"""Where the files of a sweep are: models, marks of finished trials, and the folder of all runs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lcl_lab.atomic import read_json, reporting_os_errors, write_json
from lcl_lab.file_locks import locked

__all__ = ["SweepPaths"]

_LOCK_TIMEOUT = 120  # seconds; workers of a killed `ray://` client live for up to half a minute


class SweepPaths:
    """Paths of a sweep on one machine.

    Args:
        folder: folder of the sweep.
        results: folder of all runs.
    """

    def __init__(self, folder: Path, results: Path) -> None:
        self.folder, self.results = folder.absolute(), results.absolute()

    @classmethod
    def of(cls, name: str, results: Path) -> SweepPaths:
        """The paths of a sweep by its name, in a folder of results."""
        return cls(results / "sweeps" / name, results)

    @property
    def marks(self) -> Path:
        """The folder of the marks of finished trials."""
        return self.folder / "trials"

    def model(self, trial: str) -> Path:
        """The folder of a trial's model."""
        return self.folder / "models" / trial

    def mark(self, trial: str) -> Path:
        """The file that exists once a trial has finished."""
        return self.marks / f"{trial}.json"

    def lock(self, trial: str) -> AbstractContextManager[None]:
        """A lock that a worker holds while it runs the trial. It waits for workers of a killed driver.

        Raises:
            UserError: another process runs the trial, or the file cannot be written.
        """
        with reporting_os_errors("create", self.marks):
            self.marks.mkdir(parents=True, exist_ok=True)
        message = f"{trial}: another process runs this trial; wait for it or stop it"
        return locked(self.marks / f".{trial}.lock", message, wait=_LOCK_TIMEOUT)

    def is_finished(self, trial: str, options: str) -> bool:
        """Whether nothing is left to do; a trial that was stopped early is finished too.

        Args:
            trial: its name.
            options: the digest of its options. A trial that finished with others is not finished with these.
        """
        mark = read_json(self.mark(trial))
        return mark is not None and mark.get("options", options) == options  # marks of version 0.1 have no digest

    def finish(self, trial: str, **facts: Any) -> None:
        """Mark a trial as finished.

        Args:
            trial: its name.
            **facts: contents of the mark: `options`, and `stopped`, or `seconds`, `runs` (relative to `results`),
                `device`, `memory`, `gpu_memory` (peaks in bytes), `steps` and `accuracy` of a training, and `setting`,
                `metric` and `value` in a search.

        Raises:
            UserError: the mark cannot be written.
        """
        write_json(self.mark(trial), {"trial": trial, **facts})

    def read_mark(self, trial: str) -> dict[str, Any]:
        """The contents of a trial's mark; empty when it has not finished."""
        return read_json(self.mark(trial)) or {}
