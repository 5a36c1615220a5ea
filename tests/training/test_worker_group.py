"""A training on two workers of a Ray cluster ends in the weights of one process, also after a worker is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file

from lcl_lab.errors import UserError
from lcl_lab.training import check_training, train_model
from lcl_lab.training.train_config import TrainConfig
from tests.sweeps.grids import PATIENCE, environment, files_below, killing_descendants, wait_for

OPTIONS = {"strategy": "2-way", "steps": 8, "batch": 5, "checkpoint_every": 2, "lora": 4, "threads": 1}
SINGLE_PRECISION = ("ACCELERATE_MIXED_PRECISION", "no")  # sums in bfloat16 depend on how a batch is split
CLOSE = {"atol": 1e-5, "rtol": 0.0}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The adapters that one process trains, which are stored in single precision."""
    out = tmp_path_factory.mktemp("alone") / "model"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*SINGLE_PRECISION)
        train_model(preset="tiny", out=out, **OPTIONS)
    return load_file(out / "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(torch.cuda.device_count() == 1, reason="each of the two workers needs a GPU")
@pytest.mark.parametrize("fsdp", [False, True], ids=["copied", "sharded"])
def test_two_workers_of_which_one_is_killed_train_the_weights_of_one_process(
    fsdp: bool, alone: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    out = tmp_path / "model"
    words = [part for name, value in OPTIONS.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "lcl_lab.train", "--preset", "tiny", *words, "--out", str(out), "--workers", "2"]
    command += ["--fsdp"] * fsdp
    with killing_descendants() as mark:
        process = psutil.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment(**mark, **dict([SINGLE_PRECISION]))
        )
        wait_for(lambda: files_below(out, "checkpoints/step-*/digests.json"), every=0.02)
        workers = [one for one in process.children(recursive=True) if "ray::_Worker" in "".join(one.cmdline())]
        assert len(workers) == 2
        assert bool(files_below(out, "checkpoints/step-*/*.distcp", "checkpoints/step-*/*/*.distcp")) == fsdp
        os.kill(workers[1].pid, signal.SIGKILL)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert json.loads((out / "card.json").read_text())["steps"] == 8
    trained = load_file(out / "adapter_model.safetensors")
    assert trained.keys() == alone.keys()
    for name, tensor in alone.items():
        torch.testing.assert_close(trained[name], tensor, **CLOSE)


def test_what_workers_cannot_do_is_refused_before_they_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**options: object) -> str:
        with pytest.raises(UserError) as error:
            train_model(preset="tiny", out=tmp_path / "out", **{"strategy": "2-way", **options})
        return str(error.value)

    assert "workers 1000: too many; this machine has" in refused(workers=1000, batch=1000)
    assert (
        refused(workers=5) == "batch 4: must be at least 5, one prompt for each of 5 × 1 parts (processes × accumulate)"
    )
    assert refused(fsdp=True) == "fsdp: shards weights over workers; give workers, too, such as 2"
    quantized = refused(fsdp=True, workers=2, quantize=True, lora=4)
    assert quantized == "quantize and fsdp: weights in 4 bits cannot be sharded; leave out one of the two"
    vision = TrainConfig.create(None, None, strategy="vision", out=tmp_path / "out", workers=2)
    with pytest.raises(UserError, match="workers 2: the loss of the vision encoder compares all of a batch"):
        check_training(vision)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert refused(workers=2) == "workers 2: accelerate launch has started the processes; leave it out"
    assert not (tmp_path / "out").exists()
