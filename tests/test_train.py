from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_command_prints_the_folder_of_the_model(untrained: Path, tmp_path: Path) -> None:
    words = ["--strategy", "2-way", "--start", str(untrained), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "lcl_lab.train", *words, "--preset", "tiny", "--steps", "1", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'out'}\n"), done.stderr
    assert "2-way" in done.stderr  # the progress bar
    # The folder contains a model now.
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 2
    assert again.stderr.startswith(f"error: --out {tmp_path / 'out'}: contains a model")


def test_a_mistake_is_reported_in_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lcl_lab.train", "--strategy", "2way", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: --strategy 2way: unknown strategy; did you mean '2-way'?\n"
