from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lcl_lab.errors import UserError
from lcl_lab.models import find_checkpoint, load_model
from lcl_lab.strategies import available_strategies
from lcl_lab.train import main

TINY = ["--preset", "tiny", "--threads", "1"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Features of the tests' own models stay with the tests."""
    os.environ["LCL_LAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_from_nothing_to_a_link_model(tmp_path: Path) -> None:
    folders = {name: str(tmp_path / name) for name in ("vision", "base", "mix")}
    main(["--strategy", "vision", "--out", folders["vision"], *TINY])
    main(["--strategy", "base", "--out", folders["base"], "--start", folders["vision"], *TINY])
    main(["--strategy", "mix", "--out", folders["mix"], "--start", folders["base"], "--clip", folders["vision"], *TINY])
    for name, folder in folders.items():
        found = find_checkpoint(folder)  # checks the card's fingerprint
        assert load_model(found, 1).name == folder
        card = json.loads((Path(folder) / "card.json").read_text())
        assert card["strategy"] == name
        assert card["steps"] > 0
        assert not (Path(folder) / "checkpoints").exists()
    assert card["start"]["fingerprint"] == find_checkpoint(folders["base"]).fingerprint
    assert (Path(folders["mix"]) / "training.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", sorted(set(available_strategies()) - {"base", "mix"}))
def test_every_strategy_trains_the_model_it_starts_from(name: str, untrained: Path, tmp_path: Path) -> None:
    main(["--strategy", name, "--start", str(untrained), "--out", str(tmp_path), *TINY])
    before, after = weights(untrained), weights(tmp_path)
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key].half(), after[key])}
    assert any("language_model" in key for key in moved)
    assert any("projector" in key for key in moved)
    assert not any("vision_tower" in key for key in moved)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(untrained: Path, tmp_path: Path) -> None:
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        main(["--strategy", "2-way", "--start", str(untrained), "--out", str(tmp_path / out), "--seed", seed, *TINY])
    a, b, c = (weights(tmp_path / out) for out in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not all(torch.equal(a[key], c[key]) for key in a)


@pytest.mark.parametrize("more", [[], ["--lora", "4"], ["--every-answer", "--accumulate", "2"]], ids=str)
def test_a_llava_of_transformers_is_trained_and_stays_one(stock: Path, tmp_path: Path, more: list[str]) -> None:
    main(["--strategy", "2-way-random", "--start", str(stock), "--out", str(tmp_path / "out"), *TINY, *more])
    before, after = weights(stock), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert any("projector" in key for key in moved)
    assert not any("vision_tower" in key for key in moved)
    if "--lora" in more:
        adapted = {key for key in moved if "projector" not in key}
        assert adapted
        assert all("_proj" in key and "self_attn" in key for key in adapted)
    else:
        assert any("mlp" in key for key in moved)
    assert load_model(find_checkpoint(str(tmp_path / "out")), 1).device in ("cpu", "cuda:0")


@pytest.mark.slow
def test_two_processes_with_sharded_weights_train_to_what_one_does(stock: Path, tmp_path: Path) -> None:
    words = ["-m", "lcl_lab.train", "--strategy", "2-way", "--start", str(stock), *TINY]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--num_machines", "1", "--mixed_precision", "no"]
    one = [*launch, "--num_processes", "1", "--cpu"]
    two = [*launch, "--num_processes", "2", "--use_fsdp", "--fsdp_version", "2"]
    two += ["--fsdp_auto_wrap_policy", "TRANSFORMER_BASED_WRAP", "--fsdp_transformer_layer_cls_to_wrap"]
    two += ["LlamaDecoderLayer", "--main_process_port", "0"]
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
def test_killed_and_given_again_the_command_ends_in_the_same_weights(untrained: Path, tmp_path: Path) -> None:
    words = ["--strategy", "mix", "--start", str(untrained), "--steps", "40", "--checkpoint-every", "5", *TINY]
    main([*words, "--out", str(tmp_path / "whole")])
    command = [sys.executable, "-m", "lcl_lab.train", *words, "--out", str(tmp_path / "killed")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for step in ("step-000005", "step-000020"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (tmp_path / "killed" / "checkpoints" / step).exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.wait()
        assert not (tmp_path / "killed" / "card.json").exists()
    with pytest.raises(UserError, match="another training was begun there"):
        main([*words, "--seed", "1", "--out", str(tmp_path / "killed")])
    # As if killed after the weights were written and before the card was: the folder then holds a model.
    (tmp_path / "killed" / "config.json").write_text("{}")
    main([*words, "--out", str(tmp_path / "killed")])
    whole, killed = weights(tmp_path / "whole"), weights(tmp_path / "killed")
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--strategy", "2way"], "did you mean '2-way'"),
        (["--strategy", "base", "--start", "mini/bse"], "--start mini/bse: unknown model.*'mini/base'"),
        (["--strategy", "mix", "--data", "world-90"], "did you mean 'world-900'"),
        (["--strategy", "mix", "--neighbours", "none.jsonl"], "none.jsonl: No such file"),
        (["--strategy", "mix", "--batch", "2", "--accumulate", "4"], "the least is 4"),
        (["--strategy", "mix", "--steps", "0"], "--steps: 0: the least is 1"),
        (["--strategy", "mix", "--seed", "-1"], "--seed: -1: the least is 0"),
        (["--strategy", "mix", "--clip", "mini/prototyp"], "--clip mini/prototyp: unknown model.*'mini/prototype'"),
        (["--strategy", "mix", "--target", "95"], "--target 95.0: an accuracy"),
        (["--strategy", "mix", "--lora", "0"], "--lora: 0: the least is 1"),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(tmp_path: Path, words: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        main([*words, "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_what_is_in_the_folder_is_not_lost(tmp_path: Path, untrained: Path) -> None:
    with pytest.raises(UserError, match="there is a model"):
        main(["--strategy", "2-way", "--out", str(untrained)])
    (tmp_path / "training.json").write_text('{"strategy": "mix"}')
    with pytest.raises(UserError, match="another training was begun there"):
        main(["--strategy", "2-way", "--out", str(tmp_path)])


def test_help_needs_no_torch() -> None:
    program = """
import sys
from lcl_lab.train import main
try:
    main(["--help"])
except SystemExit:
    assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
