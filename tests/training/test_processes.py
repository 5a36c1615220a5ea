"""Training in two processes, copied or sharded, as `accelerate launch` starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, sys
from pathlib import Path
from safetensors.torch import save_file
from torch import nn
from lcl_lab.training.log import TrainingLog
from lcl_lab.training.loop import LoopConfig, fit, processes
from tests.training import test_loop as t

class Line(t.Line):
    def __init__(self):
        super().__init__()
        self.map[1] = nn.Identity()  # no dropout, whose draws differ between processes

folder, kill = Path(sys.argv[1]), int(sys.argv[2])

def build(step, part, parts):
    if step == kill and processes().process_index == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return t.build(step, part, parts)

config = LoopConfig(steps=30, learning_rate=0.02, warm_up=5, checkpoint_every=10)
state = fit(Line(), build, config, TrainingLog(folder, "test"))
if state is not None:
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "state.safetensors")
print("processes", processes().num_processes, processes().distributed_type)
"""
SHARDED = ["--use_fsdp", "--fsdp_version", "2", "--fsdp_auto_wrap_policy", "SIZE_BASED_WRAP"]
# On CPUs where there is no GPU.
WAYS = {"alone": ["--cpu"], "one GPU": [], "copied": ["--multi_gpu"], "sharded": SHARDED}


def launch(
    folder: Path, processes: int, way: str, kill: int = -1, precision: str = "no"
) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(PROGRAM)
    words = ["--num_processes", str(processes), "--num_machines", "1", "--mixed_precision", precision, *WAYS[way]]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--main_process_port", "0", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command += [str(folder / "program.py"), str(folder), str(kill)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The state that one process trains."""
    folder = tmp_path_factory.mktemp("alone")
    done = launch(folder, 1, "alone")
    assert done.returncode == 0, done.stderr
    return load_file(folder / "state.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["copied", "sharded"])
def test_two_processes_train_the_same_as_one_even_if_killed(
    way: str, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    killed = launch(tmp_path, 2, way, kill=25)
    assert killed.returncode != 0
    assert not (tmp_path / "state.safetensors").exists()
    (newest,) = (path for path in (tmp_path / "checkpoints").iterdir() if path.name == "step-000020")
    # Where weights are sharded, each process has written its shard.
    assert len(list(newest.rglob("*.distcp"))) == (4 if way == "sharded" else 0)
    done = launch(tmp_path, 2, way)
    assert done.returncode == 0, done.stderr
    assert f"processes 2 {'DistributedType.FSDP' if way == 'sharded' else 'DistributedType.MULTI_CPU'}" in done.stdout
    state = load_file(tmp_path / "state.safetensors")
    assert state.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(state[name], tensor, atol=2e-5, rtol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
@pytest.mark.parametrize("way", ["one GPU", "sharded"])
def test_a_gpu_trains_in_bfloat16_to_nearly_the_same(way: str, alone: dict[str, torch.Tensor], tmp_path: Path) -> None:
    done = launch(tmp_path, 1, way, precision="bf16")
    assert done.returncode == 0, done.stderr
    state = load_file(tmp_path / "state.safetensors")
    assert state.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(state[name].cpu(), tensor, atol=0.05, rtol=0.1)
