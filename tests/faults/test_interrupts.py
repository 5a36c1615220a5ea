"""Ctrl-C at any moment, sent to all processes as a terminal does: one line, exit code 130, and no process is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lcl_lab.interrupts import EXIT_CODE, MESSAGE
from tests.sweeps.grids import PATIENCE, environment, killing_descendants, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.slow, pytest.mark.timeout(1800)]

# The interpreter reports every module that it has imported, so a test sees when the package handles Ctrl-C.
PYTHON = [sys.executable, "-X", "importtime"]
LCL = str(Path(sys.executable).with_name("lcl"))
TRAIN = ["--strategy", "fixed-2", "--preset", "tiny", "--steps", "16", "--batch", "2", "--held-out-queries", "4"]
TRAIN += ["--checkpoint-every", "3", "--threads", "2"]


class Command:
    """A command in a group of processes of its own, as a shell starts it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def messages(self) -> list[str]:
        """Standard error without the reports of imports."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip() and not line.startswith("import time:")]

    def wait_for_import(self, module: str) -> None:
        wait_for(lambda: f" {module}\n" in self._log.read_text(errors="replace") or self.process.poll() is not None)

    def interrupt(self) -> bool:
        """Press Ctrl-C; False if the command had ended before."""
        running = self.process.poll() is None
        if running:
            os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(PATIENCE)
        return running

    def assert_interrupted(self) -> None:
        assert self.process.returncode == EXIT_CODE, self.messages()
        assert self.messages()[-1] == MESSAGE
        assert not any(word in line for line in self.messages() for word in ("Traceback", "Error", "ignored")), (
            self.messages()
        )


@contextmanager
def started(folder: Path, *words: str, **variables: str) -> Iterator[Command]:
    folder.mkdir(exist_ok=True, parents=True)
    log = folder / "stderr.txt"
    with killing_descendants() as mark, log.open("wb") as errors:
        process = subprocess.Popen(
            [*PYTHON, *words],
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment(**mark, **variables),
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in the background of a shell
        )
        yield Command(process, log)
        wait_for(lambda: not _alive(mark), 60)


def _alive(mark: dict[str, str]) -> list[psutil.Process]:
    """Processes of a command that still run."""
    alive = []
    for process in psutil.process_iter():
        try:
            if mark.items() <= process.environ().items() and process.status() != psutil.STATUS_ZOMBIE:
                alive.append(process)
        except psutil.Error:
            continue
    return alive


def moments(count: int, seconds: float) -> Iterator[float]:
    """Times spread over a duration, one in each part of it; then more from the middle, for those that came too late."""
    chance = random.Random(0)
    yield from (seconds * (part + chance.random()) / count for part in range(count))
    while True:
        yield seconds * chance.uniform(0.2, 0.8)


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "lcl_lab.studies.false_ratio", "--preset", "tiny"),
        (LCL, "study", "false_ratio", "--preset", "tiny"),
        ("-m", "lcl_lab.sweep", "absent.yaml"),
    ],
    ids=["module", "lcl", "sweep"],
)
def test_ctrl_c_during_imports(words: tuple[str, ...], tmp_path: Path) -> None:
    """Shortly after the package's first module, so that modules and libraries are still being imported."""
    chance, interrupts = random.Random(len(words)), 0
    for number in range(8):
        with started(tmp_path / str(number), *words, LCL_LAB_RESULTS=str(tmp_path)) as program:
            program.wait_for_import("lcl_lab.interrupts")
            time.sleep(chance.uniform(0, 0.25))
            if program.interrupt():
                program.assert_interrupted()
                interrupts += 1
    assert interrupts >= 5


def test_ctrl_c_at_ten_moments_of_a_training_which_then_ends_in_the_same_weights(
    untrained: Path, tmp_path: Path
) -> None:
    words = ["-m", "lcl_lab.train", *TRAIN, "--start", str(untrained), "--out"]
    with started(tmp_path / "log", *words, str(tmp_path / "whole"), LCL_LAB_CACHE=str(tmp_path / "warm")) as whole:
        whole.wait_for_import("lcl_lab.interrupts")
        began = time.monotonic()
        assert whole.process.wait(PATIENCE) == 0, whole.messages()
        duration = time.monotonic() - began
    folders, interrupts = [tmp_path / "interrupted-0"], 0
    for number, moment in enumerate(moments(10, duration)):
        if interrupts == 10:
            break
        variables = {"LCL_LAB_CACHE": str(tmp_path / f"cache-{number}")}  # images are rendered every time
        with started(tmp_path / f"log-{number}", *words, str(folders[-1]), **variables) as training:
            training.wait_for_import("lcl_lab.interrupts")
            time.sleep(moment)
            training.interrupt()
            if _is_finished(folders[-1]):  # the interrupt came too late
                assert training.process.returncode in (0, EXIT_CODE)
                folders.append(tmp_path / f"interrupted-{len(folders)}")
            else:
                training.assert_interrupted()
                interrupts += 1
    assert interrupts == 10
    expected = json.loads((tmp_path / "whole" / "card.json").read_text())["fingerprint"]
    for folder in folders:
        if not _is_finished(folder):
            variables = {"LCL_LAB_CACHE": str(tmp_path / "warm")}
            with started(tmp_path / "log", *words, str(folder), **variables) as last:
                assert last.process.wait(PATIENCE) == 0, last.messages()
        assert json.loads((folder / "card.json").read_text())["fingerprint"] == expected


def test_ctrl_c_in_all_studies(tmp_path: Path) -> None:
    words = ["-m", "lcl_lab.studies.all", "--preset", "tiny", "--queries", "4", "--results", str(tmp_path / "results")]
    for studies in (1, 3, 5):  # each call resumes where the one before was interrupted
        with started(tmp_path / f"log-{studies}", *words) as all_studies:
            wait_for(lambda studies=studies: len(list(tmp_path.glob("results/*/*/config.json"))) >= studies)
            assert all_studies.interrupt()
            all_studies.assert_interrupted()


def _is_finished(folder: Path) -> bool:
    return (folder / "card.json").exists() and not (folder / "training.json").exists()
