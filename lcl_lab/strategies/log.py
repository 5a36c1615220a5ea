"""What a training run tells while it goes on: a progress bar with time left, and `metrics.jsonl`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

__all__ = ["TrainingLog"]

_EVERY = 25  # steps between two lines of the file


class TrainingLog:
    """Logs one training run into `folder`; `seconds` is its age and `done` its steps so far."""

    def __init__(self, folder: Path, title: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "metrics.jsonl"
        self._file.write_text("")
        self._title = title
        self._started = time.perf_counter()
        self._note = ""
        self.done = 0

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def steps(self, count: int) -> Iterator[int]:
        """0 … count − 1, with the bar moving."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(self._title, total=count, note="")
            for step in range(count):
                yield step
                self.done += 1
                bar.update(task, advance=1, note=self._note)

    def loss(self, step: int, value: float) -> None:
        if step % _EVERY == _EVERY - 1:
            self._note = f"loss {value:.3f}"
            self.write(step=step + 1, loss=value)

    def write(self, **fields: object) -> None:
        """One line of the file: the fields and the seconds since the start."""
        with self._file.open("a") as file:
            file.write(json.dumps({**fields, "seconds": round(self.seconds, 2)}) + "\n")
