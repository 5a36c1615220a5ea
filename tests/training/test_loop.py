from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from lcl_lab.training.log import METRICS_FILE, TrainingLog
from lcl_lab.training.loop import LoopConfig, MicroBatch, fit

STEPS = 60
TRUTH = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


class Line(nn.Module):
    """A linear map whose squared error is the loss; a part of it is frozen."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.map = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.1), nn.Linear(16, 3))
        self.frozen = nn.Linear(2, 2).requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return ((self.map(x).float() - y) ** 2).sum(1)


def build(step: int, part: int, parts: int) -> list[MicroBatch]:
    """16 points a step; point i depends on step and i alone."""
    points = [np.random.default_rng([step, i]).standard_normal(8) for i in range(part, 16, parts)]
    x = torch.from_numpy(np.stack(points)).float()
    return [MicroBatch({"x": x, "y": x @ TRUTH}, weight=len(x), tokens=len(x))]


def train(folder: Path, evaluate: Callable[..., float] | None = None, **options: object) -> dict[str, Tensor]:
    values = {"steps": STEPS, "learning_rate": 0.02, "warm_up": 5, "checkpoint_every": 10, "evaluate_every": 10}
    state = fit(Line(), build, LoopConfig(**{**values, **options}), TrainingLog(folder, "test"), evaluate)
    assert state is not None
    return state


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / METRICS_FILE).read_text().splitlines()]


def test_the_loss_falls_and_frozen_weights_stay(tmp_path: Path) -> None:
    state = train(tmp_path, steps=300)
    losses = [line["loss"] for line in lines(tmp_path) if "loss" in line]
    assert losses[-1] < 0.2 * losses[0]
    assert all(line["tokens_per_second"] > 0 for line in lines(tmp_path))
    assert torch.equal(state["frozen.weight"], Line().frozen.weight)


def test_the_same_data_gives_the_same_weights_and_other_data_others(tmp_path: Path) -> None:
    one, two = train(tmp_path / "1"), train(tmp_path / "2")
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_accumulating_gradients_changes_only_rounding(tmp_path: Path) -> None:
    whole = train(tmp_path / "1", steps=1, warm_up=0)
    parts = train(tmp_path / "2", steps=1, warm_up=0, accumulate=4)
    # Dropout draws differ between the two, so only the last bias, which it does not touch, must agree.
    torch.testing.assert_close(parts["map.2.bias"], whole["map.2.bias"], atol=5e-3, rtol=0)


def test_each_training_of_a_process_has_its_own_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {}
    for name, precision in (("first", "no"), ("second", "bf16"), ("third", "no")):
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", precision)
        states[name] = train(tmp_path / name, steps=2)
    assert all(torch.equal(states["third"][name], tensor) for name, tensor in states["first"].items())
    assert not torch.equal(states["second"]["map.0.weight"], states["first"]["map.0.weight"])


def test_evaluate_accuracy_is_logged_and_stops_a_training_that_has_reached_its_target(tmp_path: Path) -> None:
    accuracies = iter([0.4, 0.7, 0.95, 0.5])
    train(tmp_path, evaluate=lambda module, device: next(accuracies), target=0.9)
    assert [(line["step"], line["accuracy"]) for line in lines(tmp_path) if "accuracy" in line] == [
        (10, 0.4),
        (20, 0.7),
        (30, 0.95),
    ]
    # A resumed training knows that it is finished.
    train(tmp_path, evaluate=lambda module, device: pytest.fail("trained on"), target=0.9)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.training import test_loop as t

build_step, last = t.build, int(sys.argv[2])
def build(step, part, parts):
    if step == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return build_step(step, part, parts)
t.build = build
t.train(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_and_resumed_training_ends_in_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    undisturbed = train(tmp_path / "whole")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for step in (7, 25, 44):
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(step)],
            cwd=Path(__file__).parents[2],
            env=environment,
            capture_output=True,
        )
        assert done.returncode == -signal.SIGKILL
    steps = sorted(path.name for path in (tmp_path / "killed" / "checkpoints").iterdir())
    assert steps == ["step-000030", "step-000040"]
    resumed = train(tmp_path / "killed")
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)
    keys = ("step", "loss")
    assert [[line[k] for k in keys] for line in lines(tmp_path / "killed")] == [
        [line[k] for k in keys] for line in lines(tmp_path / "whole")
    ]


def test_a_damaged_checkpoint_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    undisturbed = train(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "half")
    newest = sorted((tmp_path / "half" / "checkpoints").glob("step-*"))[-1]
    weights = bytearray((newest / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (newest / "model.safetensors").write_bytes(weights)
    resumed = train(tmp_path / "half")
    assert f"{newest} is damaged" in caplog.text
    assert all(torch.equal(undisturbed[name], resumed[name]) for name in undisturbed)


def test_a_checkpoint_holds_no_frozen_weights(tmp_path: Path) -> None:
    train(tmp_path, steps=10)
    with safe_open(tmp_path / "checkpoints" / "step-000010" / "model.safetensors", framework="numpy") as file:
        names = set(file.keys())
    assert names == {name for name in Line().state_dict() if not name.startswith("frozen")}
