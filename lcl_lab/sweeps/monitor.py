"""Shows a sweep while it runs: a live table in the terminal, and events in its folder for the dashboard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ray.tune import Callback
from rich.live import Live
from rich.table import Table

from lcl_lab.safe_console import SafeConsole
from lcl_lab.sweeps.trial import TRAINING

__all__ = ["EVENTS", "STARTING", "Note", "SweepMonitor", "TuneMonitor"]

EVENTS = "events.jsonl"
"""Name of the file of events in the folder of a sweep."""
STARTING = "starting"
"""What a trial does before its first report."""
Note = Callable[[str, str, dict[str, Any]], None]
_REFRESH = 0.5  # seconds between two updates of the table
_ENDED = ("finished", "stopped early")
_REPORTED = ("doing", "step", "steps", "loss", "accuracy", "answered", "prompts")


class TuneMonitor(Callback):
    """Forwards what Ray Tune does with the trials.

    Args:
        note: receives the name of a trial, its status (``running``, ``ended``, ``failed`` or ``tried again``), and
            details.
    """

    def __init__(self, note: Note) -> None:
        self._note = note

    def __getstate__(self) -> dict[str, Any]:
        """Ray Tune pickles its callbacks with an experiment; nothing reads that, and `note` cannot be pickled."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "running", {"doing": STARTING})

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._note(_name(trial), "running", {key: result[key] for key in _REPORTED if key in result})

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "ended", {"doing": ""})

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "failed", {"doing": "", "reason": _reason(trial)})

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._note(_name(trial), "tried again", {"doing": "", "reason": _reason(trial)})


class SweepMonitor:
    """The state of all trials, shown as a table on standard error and appended to the file of events.

    Args:
        folder: folder of the sweep.
        names: all trials.
        finished: those that had finished before, with the contents of their marks (see `SweepPaths.finish`).
        stages: what a trial does, in order: values of `doing`.
        ended: receives the name of a trial that ended without an error, and its last step and accuracy; returns False
            if the trial was stopped early.
        count: the number of all trials, if others follow.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        finished: Mapping[str, Mapping[str, Any]],
        stages: Sequence[str],
        ended: Callable[[str, dict[str, Any]], bool],
        count: int | None = None,
    ) -> None:
        self._count = max(count or 0, len(names))
        self._file, self._stages, self._ended = folder / EVENTS, stages, ended
        self._states: dict[str, dict[str, Any]] = {
            name: _state_before(finished[name]) if name in finished else {"status": "waiting"} for name in names
        }
        self._unwritten: list[str] = []
        self._started, self._refreshed, self._finished_before = time.perf_counter(), 0.0, len(finished)
        self._live = Live(console=SafeConsole(stderr=True, force_jupyter=False), auto_refresh=False)

    @property
    def failed(self) -> dict[str, str]:
        """Why trials failed, by name."""
        return {name: state["reason"] for name, state in self._states.items() if state["status"] == "failed"}

    def __enter__(self) -> Self:
        self._live.start()
        for name, state in self._states.items():
            if state["status"] == "waiting":
                self.note(name, "waiting", {})
        self._refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._refresh()
        self._live.stop()
        if not self._live.console.is_terminal:
            self._live.console.print()  # otherwise the next output continues the table's last line

    def note(self, name: str, status: str, details: dict[str, Any]) -> None:
        """Record an event of a trial.

        Args:
            name: the trial.
            status: its status, as from `TuneMonitor`.
            details: any of ``doing``, ``step``, ``steps``, ``loss``, ``accuracy``, ``answered``, ``prompts``,
                ``reason``.
        """
        state = self._states.setdefault(name, {"status": ""})
        if status == "ended":
            last: dict[str, Any] = {key: state.get(key) for key in ("step", "accuracy")}
            status = "finished" if self._ended(name, last) else "stopped early"
        changed = state["status"] != status
        if "doing" in details:  # the prompts of one study are not those of the next
            state |= {"answered": 0, "prompts": 0}
        state |= {"status": status, **details}
        event = {"time": datetime.now(UTC).isoformat(), "trial": name, "status": status, **details}
        self._unwritten.append(json.dumps(event) + "\n")
        with suppress(OSError):  # written with a later event; a sweep does not end because its log cannot be written
            with self._file.open("a", encoding="utf-8") as file:
                file.write("".join(self._unwritten))
            self._unwritten.clear()
        if changed or time.perf_counter() - self._refreshed > _REFRESH:
            self._refresh()

    def _refresh(self) -> None:
        self._refreshed = time.perf_counter()
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        states = self._states.items()
        done = sum(state["status"] in _ENDED for _, state in states)
        best = max(((state["accuracy"], name) for name, state in states if "accuracy" in state), default=None)
        table = Table(title=f"{done} of {self._count} trials{self._time_left()}", title_justify="left")
        trains = TRAINING in self._stages
        for column in ("trial", "status", "doing", "step", *(("loss", "held-out accuracy") if trains else ())):
            table.add_column(column)
        for name, state in states:
            mark = " (best)" if best and best[1] == name else ""
            step = f"{state['step']:,} of {state['steps']:,}" if "step" in state else ""
            if state.get("prompts"):
                step = f"{state['answered']:,} of {state['prompts']:,} prompts"
            loss, accuracy = (f"{state[key]:.3f}" if key in state else "" for key in ("loss", "accuracy"))
            row = (name, state["status"], state.get("doing", ""), step, loss, accuracy + mark)
            table.add_row(*row[: len(table.columns)])
        return table

    def _time_left(self) -> str:
        """An estimate that assumes that all stages of a trial take the same time."""
        total, done = self._count, sum(map(self._progress, self._states.values()))
        if not self._finished_before < done < total:
            return ""
        seconds = (time.perf_counter() - self._started) * (total - done) / (done - self._finished_before)
        return f", about {timedelta(seconds=round(seconds))} left"

    def _progress(self, state: dict[str, Any]) -> float:
        """The share of a trial that is done, from 0 to 1."""
        if state["status"] in (*_ENDED, "failed"):
            return 1.0
        if not state.get("doing"):
            return 0.0
        share = state["answered"] / state["prompts"] if state.get("prompts") else 0.0
        if state["doing"] == TRAINING and "step" in state:
            share = state["step"] / state["steps"]
        return float(self._stages.index(state["doing"]) + share) / len(self._stages)


def _state_before(mark: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a trial that had finished before this sweep was resumed."""
    stopped = mark.get("stopped")
    accuracy = (stopped or mark).get("accuracy")
    state: dict[str, Any] = {"status": "stopped early" if stopped else "finished"}
    if mark.get("steps"):
        state |= {"step": mark["steps"], "steps": mark["steps"]}
    return state if accuracy is None else {**state, "accuracy": accuracy}


def _name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _reason(trial: Any) -> str:
    """The last line of a trial's traceback, if this machine has it: the storage may be what failed."""
    file = Path(trial.error_file or "")
    lines = file.read_text(encoding="utf-8").strip().splitlines() if file.is_file() else []
    return lines[-1].strip().removeprefix("lcl_lab.errors.UserError: ") if lines else "its worker died"
