"""Two identical trainings at once into one folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.models import find_checkpoint
from tests.sweeps.grids import environment, wait_for

pytestmark = pytest.mark.attack


@pytest.mark.slow
def test_of_two_identical_trainings_at_once_the_second_fails_and_the_first_is_undisturbed(
    untrained: Path, tmp_path: Path
) -> None:
    out, go = tmp_path / "out", tmp_path / "go"
    options = ["--strategy", "2-way", "--preset", "tiny", "--threads", "1", "--steps", "6", "--held-out-queries", "4"]
    # Both have imported everything before they start, so that they start at once.
    program = (
        "import sys, time; from pathlib import Path; from lcl_lab.commands import train_program\n"
        "from lcl_lab import training; training.train_strategy; Path(sys.argv[1]).touch()\n"
        f"while not Path({str(go)!r}).exists(): time.sleep(0.001)\n"
        "train_program().main(sys.argv[2:])"
    )
    ready = [tmp_path / "ready-0", tmp_path / "ready-1"]
    trainings = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(file), *options, "--start", str(untrained), "--out", str(out)],
            env=environment(LCL_LAB_CACHE=str(tmp_path / "cache"), COLUMNS="300"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in ready
    ]
    wait_for(lambda: all(file.exists() for file in ready), 120)
    go.touch()
    ended = [(*training.communicate(timeout=300), training.returncode) for training in trainings]
    (_, message, refused), (printed, log, trained) = sorted(ended, key=lambda one: -one[2])
    assert (refused, trained) == (2, 0), message + log
    assert message.splitlines() == [
        f"error: --out {out}: another process trains into this folder; wait for it, stop it, or choose another folder"
    ]
    assert printed.strip() == str(out)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 6]
    assert find_checkpoint(str(out)).fingerprint == json.loads((out / "card.json").read_text())["fingerprint"]
