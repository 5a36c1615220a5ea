"""kill -9 in any phase of a training, then the same command: weights and log are those of an undisturbed one."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from lcl_lab.training import train_model
from tests.faults.kills import TRAINING
from tests.sweeps.grids import wait_for

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(1200)]

OPTIONS: dict[str, Any] = {"strategy": "fixed-2", "preset": "tiny", "threads": 1, "steps": 30, "learning_rate": 1e-3}
OPTIONS |= {"checkpoint_every": 3, "evaluate_every": 10, "held_out_queries": 4, "images": 9, "batch": 2}

# A server that has imported everything forks each attempt, so that kills fall into the work and not into imports.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    ["lcl_lab.training.run", "lcl_lab.training.trained_model", "lcl_lab.figures", "lcl_lab.models.mini.prototype"]
)


@pytest.fixture(autouse=True)
def _main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """New processes import the main module, in whose place a test of the dashboard may have left a page."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules[__name__])


def train(start: Path, out: Path) -> None:
    train_model(start=start, out=out, **OPTIONS)


def started(start: Path, out: Path) -> BaseProcess:
    process = SERVER.Process(target=train, args=(start, out))
    process.start()
    return process


def finish(start: Path, out: Path) -> float:
    """Train to the end; the seconds that it took."""
    began = time.perf_counter()
    process = started(start, out)
    process.join(240)
    assert process.exitcode == 0
    return time.perf_counter() - began


def log_of(out: Path) -> list[dict[str, float]]:
    """The lines of the log without times."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{key: line[key] for key in ("step", "loss", "accuracy") if key in line} for line in lines]


def test_a_training_killed_in_every_phase_resumes_to_the_same_weights_and_log(untrained: Path, tmp_path: Path) -> None:
    finish(untrained, tmp_path / "server-warms-up")
    duration = finish(untrained, tmp_path / "undisturbed")
    chance = random.Random(0)

    def any_time(out: Path) -> None:
        time.sleep(chance.uniform(0.02, 0.95) * duration)

    def at(pattern: str) -> Callable[[Path], None]:
        """When a file appears or changes that was not there, or not so, when the process started."""

        def wait(out: Path) -> None:
            before = _states(out, pattern)
            wait_for(lambda: not processes[-1].is_alive() or not _states(out, pattern) <= before, every=0.002)
            time.sleep(chance.uniform(0, 0.01))

        return wait

    phases = [any_time, at("checkpoints/.*.part"), any_time, at("metrics.jsonl"), any_time, at("*.safetensors*")]
    processes: list[BaseProcess] = []
    folders = [tmp_path / "killed-0"]
    kills = attempts = 0
    while kills < TRAINING:
        processes.append(started(untrained, folders[-1]))
        phases[attempts % len(phases)](folders[-1])
        attempts += 1
        processes[-1].kill()
        processes[-1].join()
        kills += processes[-1].exitcode == -signal.SIGKILL
        if processes[-1].exitcode == 0:
            folders.append(tmp_path / f"killed-{len(folders)}")
        assert processes[-1].exitcode in (0, -signal.SIGKILL)
    assert kills == TRAINING

    expected = (tmp_path / "undisturbed" / "model.safetensors").read_bytes()
    for folder in folders:
        if not (folder / "card.json").exists() or (folder / "training.json").exists():
            finish(untrained, folder)
        assert (folder / "model.safetensors").read_bytes() == expected
        assert log_of(folder) == log_of(tmp_path / "undisturbed")
        assert sorted(path.name for path in folder.iterdir() if path.name != "training.lock") == sorted(
            path.name for path in (tmp_path / "undisturbed").iterdir() if path.name != "training.lock"
        )


def _states(out: Path, pattern: str) -> set[tuple[Path, int]]:
    states = set()
    for path in out.glob(pattern):
        try:
            states.add((path, path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue
    return states
