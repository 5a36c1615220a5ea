"""Two identical trainings, or conversions, at once into one folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lcl_lab.models import find_checkpoint
from tests.sweeps.grids import environment, wait_for

pytestmark = [pytest.mark.attack, pytest.mark.slow]


def two_at_once(program: str, preloaded: str, options: list[str], folder: Path) -> list[tuple[str, str, int]]:
    """Output, messages and exit code of a command that two processes run at once, the one that was refused first."""
    go, ready = folder / "go", [folder / "ready-0", folder / "ready-1"]
    # Both have imported everything before they start, so that they start at once.
    code = (
        f"import sys, time; from pathlib import Path; from lcl_lab.commands import {program}\n"
        f"import {preloaded}; Path(sys.argv[1]).touch()\n"
        f"while not Path({str(go)!r}).exists(): time.sleep(0.001)\n"
        f"{program}().main(sys.argv[2:])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(file), *options],
            env=environment(LCL_LAB_CACHE=str(folder / "cache"), COLUMNS="300"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for file in ready
    ]
    wait_for(lambda: all(file.exists() for file in ready), 120)
    go.touch()
    ended = [(*process.communicate(timeout=300), process.returncode) for process in processes]
    return sorted(ended, key=lambda one: -one[2])


def test_of_two_identical_trainings_at_once_the_second_fails_and_the_first_is_undisturbed(
    untrained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ["--strategy", "2-way", "--preset", "tiny", "--threads", "1", "--steps", "6", "--held-out-queries", "4"]
    options += ["--start", str(untrained), "--out", str(out)]
    (_, message, refused), (printed, log, trained) = two_at_once(
        "train_program", "lcl_lab.training.run", options, tmp_path
    )
    assert (refused, trained) == (2, 0), message + log
    assert message.splitlines() == [
        f"error: --out {out}: another process trains into this folder; wait for it, stop it, or choose another folder"
    ]
    assert printed.strip() == str(out)
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert steps == [2, 4, 6]
    assert find_checkpoint(str(out)).fingerprint == json.loads((out / "card.json").read_text())["fingerprint"]


def test_of_two_identical_conversions_at_once_one_fails_and_the_other_is_undisturbed(
    released: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "models" / "target"
    options = [str(released[0]), str(target), "--vision-tower", str(released[1])]
    (_, message, refused), (printed, log, converted) = two_at_once(
        "convert_program", "lcl_lab.models.convert.shikra_checkpoint", options, tmp_path
    )
    assert (refused, converted) == (2, 0), message + log
    reasons = ("another process converts into this folder", "exists; give a new folder")  # where one was faster
    assert message.startswith(tuple(f"error: --target {target}: {reason}" for reason in reasons))
    assert message.count("\n") == 1
    assert printed.strip() == str(target)
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    assert find_checkpoint(str(target)).path == target
