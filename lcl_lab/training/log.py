"""The log of a training run: a progress bar with the time left on standard error, and `metrics.jsonl`."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lcl_lab.atomic import parse_json, write_text
from lcl_lab.safe_console import SafeConsole

__all__ = ["COLUMNS", "METRICS_FILE", "TrainingLog"]

METRICS_FILE = "metrics.jsonl"
"""Name of the log in the folder of a training run."""
_EVERY = 25  # steps between two lines of the file
COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
    TextColumn("{task.fields[note]}"),
)
"""Columns of the progress bar of a training."""


class TrainingLog:
    """Logs one training run.

    Args:
        folder: folder of the run.
        title: title of the progress bar and of the figure.
        report: receives every line of the file, together with the total number of steps.

    Attributes:
        done: steps so far.
        steps: all steps; None until the bar is shown.
        last_accuracy: the latest held-out accuracy, or None.
        tasks_loss: the mean loss on held-out original tasks, in nats per token, which is logged with the next
            accuracy; None without such tasks.
    """

    def __init__(self, folder: Path, title: str, report: Callable[[dict[str, Any]], None] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.title, self.done, self._report = folder, title, 0, report
        self.last_accuracy: float | None = None
        self.tasks_loss: float | None = None
        self.steps: int | None = None
        self._silent = True
        self._began = time.perf_counter()
        self._losses: list[float] = []
        self._tokens, self._since = 0, self._began
        self._note = {"loss": "", "held-out accuracy": "", "tokens/s": ""}

    @property
    def seconds(self) -> float:
        """Time of all processes that worked on the run, each up to its last checkpoint, including preparation."""
        return time.perf_counter() - self._began

    def state_dict(self) -> dict[str, Any]:
        """State in a checkpoint, so that a resumed run logs as if it had never stopped."""
        return {"losses": self._losses, "seconds": self.seconds, "last_accuracy": self.last_accuracy}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._losses, self.last_accuracy = state["losses"], state["last_accuracy"]
        self._began -= state["seconds"]

    @contextmanager
    def open(self, steps: int, first: int, silent: bool) -> Iterator[None]:
        """Show the progress bar.

        Args:
            steps: total number of steps.
            first: steps that a resumed run has already done. Lines of later steps, from before it was killed, are
                removed from the file.
            silent: show and write nothing, as in all processes but the main one.
        """
        self._silent, self.done, self.steps = silent, first, steps
        file = self.folder / METRICS_FILE
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True) if first and file.exists() else []
        kept = [line for line in lines if line.endswith("\n") and _step_of(line) <= first]
        if not silent:
            write_text(file, "".join(kept))
        self._tokens, self._since = 0, time.perf_counter()
        with Progress(*COLUMNS, console=SafeConsole(stderr=True, force_jupyter=False), disable=silent) as self._bar:
            self._task = self._bar.add_task(self.title, total=steps, completed=first, note="")
            yield

    def step(self, step: int, loss: float, tokens: int) -> None:
        """Log a step.

        Args:
            step: the number of steps done.
            loss: mean loss in nats per token.
            tokens: tokens in its batch.
        """
        self.done = step
        self._losses.append(loss)
        self._tokens += tokens
        if step % _EVERY == 0:
            speed = self._tokens / (time.perf_counter() - self._since) if self._tokens else 0.0
            mean = sum(self._losses) / len(self._losses)
            self._note |= {"loss": f"{mean:.3f}", "tokens/s": f"{speed:,.0f}"}
            self._write(step, loss=mean, tokens_per_second=round(speed))
            self._losses = []
            self._tokens, self._since = 0, time.perf_counter()
        self._bar.update(self._task, completed=step, note=self.note)

    def accuracy(self, step: int, value: float) -> None:
        """Log the accuracy on held-out episodes after a step. Its time does not count for tokens per second."""
        self.last_accuracy = value
        self._note["held-out accuracy"] = f"{value:.3f}"
        self._write(step, accuracy=value, **({} if self.tasks_loss is None else {"tasks_loss": self.tasks_loss}))
        self._tokens, self._since = 0, time.perf_counter()
        self._bar.update(self._task, note=self.note)

    @property
    def note(self) -> str:
        """The latest loss, accuracy and speed, as the progress bar shows them."""
        return "  ".join(f"{name} {value}" for name, value in self._note.items() if value)

    def _write(self, step: int, **fields: float) -> None:
        if self._silent:
            return
        line = {"step": step, **fields, "seconds": round(self.seconds, 2)}
        with (self.folder / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._report:
            self._report({**line, "steps": self.steps})


def _step_of(line: str) -> float:
    """The step of a line of the file; infinite if the line is damaged."""
    try:
        step = parse_json(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf
    return step if isinstance(step, int) else math.inf
