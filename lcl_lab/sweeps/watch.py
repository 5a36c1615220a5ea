"""What is seen of a sweep while it runs: a live table in the terminal, and events in its folder for the dashboard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ray.tune import Callback
from rich.console import Console
from rich.live import Live
from rich.table import Table

__all__ = ["EVENTS", "Watch"]

EVENTS = "events.jsonl"
_EVERY = 0.5  # seconds between two looks of the table


class Watch(Callback):
    """Shows all trials, those finished before among them.

    `ended` gets the name of a trial that ended without an error, and its last step and accuracy; it says whether the
    trial came to its end, or was stopped early.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], finished: Sequence[str], ended: Callable[[str, dict[str, Any]], bool]
    ) -> None:
        self._file, self._ended = folder / EVENTS, ended
        self._state: dict[str, dict[str, Any]] = {
            name: {"status": "finished" if name in finished else "waiting"} for name in names
        }
        self._began, self._shown, self._before = time.perf_counter(), 0.0, len(finished)
        self._live: Live | None = None

    @property
    def failed(self) -> dict[str, str]:
        """The reasons of the trials that failed, by name."""
        return {name: state["reason"] for name, state in self._state.items() if state["status"] == "failed"}

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune keeps its callbacks with an experiment; what belongs to this process cannot be kept."""
        return {**self.__dict__, "_live": None, "_ended": None}

    def setup(self, *given: Any, **info: Any) -> None:
        self._live = Live(console=Console(stderr=True), auto_refresh=False)
        self._live.start()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(trial, "running")

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        told = {key: result[key] for key in ("doing", "step", "loss", "accuracy") if key in result}
        self._note(trial, "running", **told)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        name = _name(trial)
        last: dict[str, Any] = {key: self._state[name].get(key) for key in ("step", "accuracy")}
        self._note(trial, "finished" if self._ended(name, last) else "stopped early")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(trial, "failed", reason=_reason(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(trial, "tried again", reason=_reason(trial))

    def on_experiment_end(self, trials: list[Any], **info: Any) -> None:
        self._show()
        if self._live:
            self._live.stop()
            if not self._live.console.is_terminal:
                self._live.console.print()  # else what is said next goes on in the table's last line

    def _show(self) -> None:
        self._shown = time.perf_counter()
        if self._live:
            self._live.update(self._table(), refresh=True)

    def _note(self, trial: Any, status: str, **told: Any) -> None:
        name = _name(trial)
        changed = self._state[name]["status"] != status
        self._state[name] |= {"status": status, **told}
        event = {"time": datetime.now(UTC).isoformat(), "trial": name, "status": status, **told}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        if changed or time.perf_counter() - self._shown > _EVERY:
            self._show()

    def _table(self) -> Table:
        done = sum(state["status"] in ("finished", "stopped early") for state in self._state.values())
        fresh, left = done - self._before, len(self._state) - done
        seconds = (time.perf_counter() - self._began) / fresh * left if fresh else None
        told = f", {seconds / 60:.0f} min left" if seconds and left else ""
        best = max(
            ((state["accuracy"], name) for name, state in self._state.items() if "accuracy" in state), default=None
        )
        table = Table(title=f"{done} of {len(self._state)} trials{told}", title_justify="left")
        for column in ("trial", "status", "doing", "step", "loss", "held-out accuracy"):
            table.add_column(column)
        for name, state in self._state.items():
            mark = " (best)" if best and best[1] == name else ""
            numbers = [f"{state[key]:.3f}" if key in state else "" for key in ("loss", "accuracy")]
            step = str(state.get("step", ""))
            table.add_row(name, state["status"], state.get("doing", ""), step, numbers[0], numbers[1] + mark)
        return table


def _name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _reason(trial: Any) -> str:
    """The last line of what a trial failed with, as this machine has it: the storage itself may have failed."""
    file = Path(trial.error_file or "")
    lines = file.read_text(encoding="utf-8").strip().splitlines() if file.is_file() else []
    return lines[-1] if lines else "its worker died"
