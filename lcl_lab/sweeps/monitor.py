"""What is seen of a sweep while it runs: a live table in the terminal, and events in its folder for the dashboard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ray.tune import Callback
from rich.console import Console
from rich.live import Live
from rich.table import Table

from lcl_lab.sweeps.trial import TRAINING

__all__ = ["EVENTS", "STARTING", "Board", "Watch"]

EVENTS = "events.jsonl"
STARTING = "starting"  # what a trial does before it says anything itself
_EVERY = 0.5  # seconds between two looks of the table
_ENDED = ("finished", "stopped early")


class Watch(Callback):
    """Says what Ray Tune does with the trials: `note` gets a name, a status, and what else there is to tell."""

    def __init__(self, note: Callable[[str, str, dict[str, Any]], None]) -> None:
        self._note = note

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune keeps its callbacks with an experiment, and nobody reads it; the board is of this process."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "running", {"doing": STARTING})

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        told: dict[str, Any] = {
            key: result[key] for key in ("doing", "step", "steps", "loss", "accuracy") if key in result
        }
        self._note(_name(trial), "running", told)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "ended", {"doing": ""})

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "failed", {"doing": "", "reason": _reason(trial)})

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "tried again", {"doing": "", "reason": _reason(trial)})


class Board:
    """The state of all trials, those finished before among them, as the table and the events tell it.

    `parts` are what a trial does, in order. `ended` gets the name of a trial that ended without an error, and its last
    step and accuracy; it says whether the trial came to its end, or was stopped early.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        finished: Sequence[str],
        parts: Sequence[str],
        ended: Callable[[str, dict[str, Any]], bool],
    ) -> None:
        self._file, self._parts, self._ended = folder / EVENTS, parts, ended
        self._state: dict[str, dict[str, Any]] = {
            name: {"status": "finished" if name in finished else "waiting"} for name in names
        }
        self._began, self._shown, self._before = time.perf_counter(), 0.0, len(finished)
        self._live = Live(console=Console(stderr=True), auto_refresh=False)

    @property
    def failed(self) -> dict[str, str]:
        """The reasons of the trials that failed, by name."""
        return {name: state["reason"] for name, state in self._state.items() if state["status"] == "failed"}

    def __enter__(self) -> Self:
        self._live.start()
        for name, state in self._state.items():
            if state["status"] == "waiting":
                self.note(name, "waiting", {})
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show()
        self._live.stop()
        if not self._live.console.is_terminal:
            self._live.console.print()  # else what is said next goes on in the table's last line

    def note(self, name: str, status: str, told: dict[str, Any]) -> None:
        """What became of a trial."""
        state = self._state[name]
        if status == "ended":
            last: dict[str, Any] = {key: state.get(key) for key in ("step", "accuracy")}
            status = "finished" if self._ended(name, last) else "stopped early"
        changed = state["status"] != status
        state |= {"status": status, **told}
        event = {"time": datetime.now(UTC).isoformat(), "trial": name, "status": status, **told}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        if changed or time.perf_counter() - self._shown > _EVERY:
            self._show()

    def _show(self) -> None:
        self._shown = time.perf_counter()
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        states = self._state.items()
        done = sum(state["status"] in _ENDED for _, state in states)
        best = max(((state["accuracy"], name) for name, state in states if "accuracy" in state), default=None)
        table = Table(title=f"{done} of {len(states)} trials{self._left()}", title_justify="left")
        for column in ("trial", "status", "doing", "step", "loss", "held-out accuracy"):
            table.add_column(column)
        for name, state in states:
            mark = " (best)" if best and best[1] == name else ""
            step = f"{state['step']:,} of {state['steps']:,}" if "step" in state else ""
            numbers = [f"{state[key]:.3f}" if key in state else "" for key in ("loss", "accuracy")]
            table.add_row(name, state["status"], state.get("doing", ""), step, numbers[0], numbers[1] + mark)
        return table

    def _left(self) -> str:
        """The time left, as if all parts of a trial took as long."""
        whole, done = len(self._state), sum(map(self._done, self._state.values()))
        if not self._before < done < whole:
            return ""
        seconds = (time.perf_counter() - self._began) * (whole - done) / (done - self._before)
        return f", about {timedelta(seconds=round(seconds))} left"

    def _done(self, state: dict[str, Any]) -> float:
        """The share of a trial that is done."""
        if state["status"] in (*_ENDED, "failed"):
            return 1.0
        if not state.get("doing"):
            return 0.0
        steps = state["step"] / state["steps"] if state["doing"] == TRAINING and "step" in state else 0.0
        return float(self._parts.index(state["doing"]) + steps) / len(self._parts)


def _name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _reason(trial: Any) -> str:
    """The last line of what a trial failed with, as this machine has it: the storage itself may have failed."""
    file = Path(trial.error_file or "")
    lines = file.read_text(encoding="utf-8").strip().splitlines() if file.is_file() else []
    return lines[-1] if lines else "its worker died"
