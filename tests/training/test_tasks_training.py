"""Trainings of a real model on its own instruction data."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lcl_lab.errors import UserError
from lcl_lab.training import run, train_model
from tests.training.instruction_data import llava, questions, write_images, write_list

OPTIONS: dict[str, Any] = {"strategy": "mix", "preset": "tiny", "threads": 1, "steps": 4, "checkpoint_every": 2}
OPTIONS |= {"evaluate_every": 2, "held_out_queries": 2, "batch": 2, "tasks_share": 0.7}


def write_tasks(folder: Path) -> Path:
    """Conversations of several turns, with one image, two or none."""
    write_images(folder)
    rows = [
        *questions(6),
        llava("<image>\nWhat is it?", "a red", "and <image>?", "a blue", image=["red.png", "blue.png"]),
        llava("what is the second colour?", "green", system="describe the image"),
    ]
    return write_list(folder / "tasks.json", rows)


def log_of(out: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key != "seconds"} for line in lines]


KILLED = """
import os, signal, sys
from pathlib import Path
from lcl_lab.training import run, train_model
from tests.training import test_tasks_training as t

fit = run.fit
def killed(module, build, *rest):
    def build_step(step, part, parts):
        if step == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return build(step, part, parts)
    return fit(module, build_step, *rest)
run.fit = killed
train_model(start=sys.argv[1], out=sys.argv[2], tasks=sys.argv[3], **t.OPTIONS)
"""


def interrupt(stock: Path, out: Path, tasks: Path) -> None:
    """Stop a training in its fourth step, in this process."""

    def interrupted(module: Any, build: Any, *rest: Any) -> Any:
        def build_step(step: int, part: int, parts: int) -> Any:
            if step == 3:
                raise KeyboardInterrupt
            return build(step, part, parts)

        return fit(module, build_step, *rest)

    fit = run.fit
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "fit", interrupted)
        train_model(start=stock, out=out, tasks=tasks, **OPTIONS)


def kill(stock: Path, out: Path, tasks: Path) -> None:
    """Stop a training in its fourth step by kill -9."""
    words = [sys.executable, "-c", KILLED, str(stock), str(out), str(tasks)]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("stop", [interrupt, pytest.param(kill, marks=pytest.mark.slow)])
def test_a_training_with_tasks_logs_their_loss_and_resumes_bit_for_bit(
    stock: Path, tmp_path: Path, stop: Callable[[Path, Path, Path], None]
) -> None:
    tasks = write_tasks(tmp_path)
    whole = train_model(start=stock, out=tmp_path / "whole", tasks=tasks, **OPTIONS)
    assert [line["step"] for line in log_of(whole.path) if line["tasks_loss"] > 0 and "accuracy" in line] == [2, 4]
    assert whole.card["tasks_share"] == 0.7
    stop(stock, tmp_path / "killed", tasks)
    assert (tmp_path / "killed" / "checkpoints").exists()
    resumed = train_model(start=stock, out=tmp_path / "killed", tasks=tasks, **OPTIONS)
    assert log_of(resumed.path) == log_of(whole.path)
    one, other = (load_file(model.path / "model.safetensors") for model in (whole, resumed))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("strategy", ["mix", "base"])
def test_the_embedded_model_can_be_trained_on_a_file_too(untrained: Path, tmp_path: Path, strategy: str) -> None:
    rows = [llava("what colour is it?", "red"), llava("describe the image", "green"), llava("what is it?", "blue")]
    tasks = write_list(tmp_path / "tasks.json", rows)  # no images: batches of text only
    options = {**OPTIONS, "steps": 2, "tasks_share": 0.9 if strategy == "mix" else None, "strategy": strategy}
    trained = train_model(start=untrained, out=tmp_path / "out", tasks=tasks, **options)
    assert log_of(trained.path)[-1]["tasks_loss"] > 0


def test_a_missing_image_is_reported_when_its_row_is_drawn(stock: Path, tmp_path: Path) -> None:
    write_images(tmp_path)
    rows = [*questions(100), *(llava("<image>\nWhat?", "it", image=f"{k}.png") for k in range(100, 400))]
    tasks = write_list(tmp_path / "tasks.json", rows)
    with pytest.raises(UserError, match=r"tasks .*tasks.json: row \d+: no image .*\.png; expected a path within"):
        train_model(start=stock, out=tmp_path / "out", tasks=tasks, **OPTIONS)


def test_what_is_longer_than_the_context_is_left_out_or_named(
    stock: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Conversations are left out; episodes stay, since a strategy is trained as it is defined."""
    short = shutil.copytree(stock, tmp_path / "short")
    config = json.loads((short / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 48
    (short / "config.json").write_text(json.dumps(config))
    rows = [llava("what is the colour " * (20 * (k % 2)), "red") for k in range(20)]
    tasks = write_list(tmp_path / "tasks.json", rows)
    train_model(start=short, out=tmp_path / "out", tasks=tasks, **OPTIONS)
    left_out, named = caplog.messages
    assert re.search(r"tasks.json: row \d*[02468]: a conversation of \d+ tokens is left out, .* more than 48", left_out)
    assert re.fullmatch(
        r"mix draws prompts of \d{3} tokens, and more than the context of the model, 48, cannot be evaluated", named
    )
