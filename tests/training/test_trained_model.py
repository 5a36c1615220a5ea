from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lcl_lab.concepts import load_dataset
from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.strategies import Stage, Strategy, available_strategies, registry
from lcl_lab.training import TrainConfig, TrainedModel, train_model

ALIKE = {f"fixed-{shots}" for shots in range(4, 16, 2)}  # which differ from fixed-2 and fixed-16 in the number alone
NAMES = sorted(set(available_strategies()) - ALIKE - {"base", "mix"})


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Features of the tests' models stay with the tests."""
    os.environ["LCL_LAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def train(**options: Any) -> TrainedModel:
    return train_model(preset="tiny", threads=1, **options)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.slow
def test_from_random_weights_to_a_link_model(tmp_path: Path) -> None:
    vision = train(strategy="vision", out=tmp_path / "vision")
    base = train(strategy="base", out=tmp_path / "base", start=vision)
    mix = train(strategy="mix", out=tmp_path / "mix", start=base.path, clip=str(vision.path))
    for trained, name in ((vision, "vision"), (base, "base"), (mix, "mix")):
        checkpoint = find_checkpoint(str(trained.path))  # checks the card's fingerprint
        assert load_model(checkpoint, 1).name == str(trained.path)
        assert json.loads((trained.path / "card.json").read_text()) == trained.card
        assert trained.card["strategy"] == name
        assert trained.card["steps"] == 4
        assert not (trained.path / "checkpoints").exists()
        assert not (trained.path / "training.json").exists()
        assert repr(trained).startswith(f"TrainedModel('{trained.path}': {name}, 4 steps, ")
    assert mix.card["start"]["fingerprint"] == base.card["fingerprint"] == find_checkpoint(str(base.path)).fingerprint
    assert (mix.path / "training.png").read_bytes().startswith(b"\x89PNG")
    assert mix.metrics["accuracy"].between(0, 1).all()
    command = mix.card["command"]
    assert command.startswith(f"python -m lcl_lab.train --strategy mix --out {mix.path} --start {base.path}")


@pytest.mark.parametrize("name", NAMES)
def test_every_strategy_trains_the_model_it_starts_from(name: str, untrained: Path, tmp_path: Path) -> None:
    train(strategy=name, start=untrained, out=tmp_path)
    before, after = weights(untrained), weights(tmp_path)
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key].half(), after[key])}
    assert any("language_model" in key for key in changed)
    assert any("projector" in key for key in changed)
    assert not any("vision_tower" in key for key in changed)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(untrained: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(strategy="2-way", start=untrained, out=tmp_path / out, seed=seed)
    a, b, c = (weights(tmp_path / out) for out in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("more", [{}, {"lora": 4, "merge": True}, {"every_answer": True, "accumulate": 2}], ids=str)
def test_a_llava_of_transformers_is_trained_and_stays_one(stock: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    train(strategy="2-way-random", start=stock, out=tmp_path / "out", **more)
    before, after = weights(stock), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert any("projector" in key for key in changed)
    assert not any("vision_tower" in key for key in changed)
    if "lora" in more:
        adapted = {key for key in changed if "projector" not in key}
        assert adapted
        assert all("_proj" in key and "self_attn" in key for key in adapted)
    else:
        assert any("mlp" in key for key in changed)
    assert load_model(find_checkpoint(str(tmp_path / "out")), 1).device in ("cpu", "cuda:0")


def test_objects_train_like_their_names(
    untrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    lines: list[dict[str, Any]] = []
    strategy = Strategy("odd", "base", (Stage(9, 9, lambda data, rng: data.links.draw(rng, 3)),))
    config = TrainConfig.create(
        "tiny", strategy=strategy, start=find_checkpoint(str(untrained)), out=tmp_path / "out", threads=1
    )
    trained = train_model(config, report=lines.append, data=load_dataset("world-dev"), steps=2)
    assert (trained.card["strategy"], trained.card["steps"]) == ("odd", 2)
    assert [(line["step"], line["steps"]) for line in lines if "accuracy" in line] == [(2, 2)]
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_two_processes_with_sharded_weights_train_to_what_one_does(stock: Path, tmp_path: Path) -> None:
    words = ["-m", "lcl_lab.train", "--strategy", "2-way", "--start", str(stock), "--preset", "tiny", "--threads", "1"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1", "--mixed_precision", "no"]
    one = [*launch, "--num_processes", "1", "--cpu"]
    two = [*launch, "--num_processes", "2", "--use_fsdp", "--fsdp_version", "2"]
    two += ["--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP", "--main_process_port", "0"]
    for command, out in ((one, "one"), (two, "two")):
        done = subprocess.run(
            [*command, *words, "--out", str(tmp_path / out)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    before, single, sharded = weights(stock), weights(tmp_path / "one"), weights(tmp_path / "two")
    assert single.keys() == sharded.keys() == before.keys()
    furthest = max(float((single[key] - before[key]).abs().max()) for key in single)
    apart = max(float((single[key] - sharded[key]).abs().max()) for key in single)
    assert apart < 0.02 * furthest


@pytest.mark.slow
def test_a_killed_and_resumed_training_ends_in_the_same_weights(untrained: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"strategy": "mix", "start": untrained, "steps": 40, "checkpoint_every": 5}
    train(**options, out=tmp_path / "whole")
    command = [sys.executable, "-m", "lcl_lab.train", "--preset", "tiny", "--threads", "1"]
    for name, value in {**options, "out": tmp_path / "killed"}.items():
        command += [f"--{name.replace('_', '-')}", str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for step in ("step-000005", "step-000020"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (tmp_path / "killed" / "checkpoints" / step).exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert not (tmp_path / "killed" / "card.json").exists()
    with pytest.raises(UserError, match="another training was begun there: seed was 0, now 1"):
        train(**options, seed=1, out=tmp_path / "killed")
    # As if killed after the weights were written and before the card was: the folder then contains a model.
    (tmp_path / "killed" / "config.json").write_text("{}")
    train(**options, out=tmp_path / "killed")
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


@pytest.mark.slow
def test_snapshots_are_complete_models_and_do_not_move_the_training(untrained: Path, tmp_path: Path) -> None:
    plain = train(strategy="2-way", out=tmp_path / "plain", start=str(untrained))
    kept = train(strategy="2-way", out=tmp_path / "kept", start=str(untrained), snapshot_every=2)
    assert [path.name for path in sorted((kept.path / "snapshots").iterdir())] == ["step-000002", "step-000004"]
    for name, weight in weights(plain.path).items():
        assert torch.equal(weight, weights(kept.path)[name])
        assert torch.equal(weight, weights(kept.path / "snapshots" / "step-000004")[name])
    assert load_model(str(kept.path / "snapshots" / "step-000002")).name.endswith("step-000002")
    early = weights(kept.path / "snapshots" / "step-000002")
    assert any(not torch.equal(early[name], weight) for name, weight in weights(plain.path).items())


def test_a_clip_has_no_snapshots(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a CLIP has no snapshots"):
        train(strategy="vision", out=tmp_path / "vision", snapshot_every=2)
    assert not (tmp_path / "vision").exists()
