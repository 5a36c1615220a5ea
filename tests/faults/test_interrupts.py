"""Ctrl-C at any moment, sent to all processes as a terminal does: one line, exit code 130, and no process is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
TRAIN = ["--strategy", "base", "--preset", "tiny", "--steps", "12", "--batch", "2", "--held-out-queries", "4"]
TRAIN += ["--checkpoint-every", "3", "--threads", "2"]


class Command:
    """A command in a group of processes of its own, as a shell starts it."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self._log = process, log

    def messages(self) -> list[str]:
        """Standard error without the reports of imports."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip() and not line.startswith("import time:")]

    def wait_for(self, condition: Callable[[str], object]) -> None:
        """Wait until standard error meets a condition, or the command has ended."""
        wait_for(
            lambda: condition(self._log.read_text(errors="replace")) or self.process.poll() is not None, every=0.01
        )

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
            program.wait_for(lambda text: " lcl_lab.interrupts\n" in text)
            time.sleep(chance.uniform(0, 0.25))
            if program.interrupt():
                program.assert_interrupted()
                interrupts += 1
    assert interrupts >= 5


# What a training has just imported, shown or written when it is interrupted.
PHASES = [" numpy\n", " torch\n", " accelerate\n", "rendering", "encoding images"]
PHASES += ["metrics.jsonl", "checkpoints/step*", "checkpoints/.*", "checkpoints/step*", "*.safetensors"]


def test_ctrl_c_in_ten_phases_of_a_training_which_then_ends_in_the_same_weights(
    untrained: Path, tmp_path: Path
) -> None:
    words = ["-m", "lcl_lab.train", *TRAIN, "--start", str(untrained), "--out"]
    train_to_end(tmp_path, words, tmp_path / "whole")
    chance, folders, interrupts = random.Random(0), [tmp_path / "interrupted-0"], 0
    for number, phase in enumerate(PHASES * 2):
        if interrupts == 10:
            break
        out, cache = folders[-1], tmp_path / f"cache-{number}"  # images are rendered every time
        before = set(out.glob(phase.strip()))
        with started(tmp_path / f"log-{number}", *words, str(out), LCL_LAB_CACHE=str(cache)) as training:
            training.wait_for(lambda text, old=before, new=phase, out=out: new in text or set(out.glob(new)) - old)
            time.sleep(chance.uniform(0, 0.1))
            training.interrupt()
            if (out / "card.json").exists():  # the interrupt came too late
                assert training.process.returncode in (0, EXIT_CODE), training.messages()
                folders.append(tmp_path / f"interrupted-{len(folders)}")
            else:
                training.assert_interrupted()
                interrupts += 1
    assert interrupts == 10
    expected = json.loads((tmp_path / "whole" / "card.json").read_text())["fingerprint"]
    for folder in folders:
        if not (folder / "card.json").exists():
            train_to_end(tmp_path, words, folder)
        assert json.loads((folder / "card.json").read_text())["fingerprint"] == expected


def train_to_end(folder: Path, words: list[str], out: Path) -> None:
    with started(folder / "log", *words, str(out), LCL_LAB_CACHE=str(folder / "cache")) as training:
        assert training.process.wait(PATIENCE) == 0, training.messages()


def test_ctrl_c_in_all_studies(tmp_path: Path) -> None:
    words = ["-m", "lcl_lab.studies.all", "--preset", "tiny", "--queries", "4", "--results", str(tmp_path / "results")]
    for studies in (1, 3, 5):  # each call resumes where the one before was interrupted
        with started(tmp_path / f"log-{studies}", *words) as all_studies:
            wait_for(lambda studies=studies: len(list(tmp_path.glob("results/*/*/config.json"))) >= studies)
            assert all_studies.interrupt()
            all_studies.assert_interrupted()
