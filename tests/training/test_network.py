"""Any image-text model is trained, in full or by adapters, and written as what evaluation loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.errors import UserError
from lcl_lab.models import Loglik, find_checkpoint, load_model
from lcl_lab.prompts import chat
from lcl_lab.training import TrainConfig, TrainedModel, check_network, check_training, train_model
from tests.training.families import FAMILIES, folder_of
from tests.training.instruction_data import llava, questions, write_images, write_list

DEV = load_dataset("world-dev")
PROMPTS = [chat(draw_episode(DEV, 1, query, 2)) for query in range(3)]
QUICK = ("qwen2_5_vl", "lora")
WAYS: dict[str, dict[str, Any]] = {"full": {}, "lora": {"lora": 2}}


def train(family: str, out: Path, report: Callable[[dict[str, Any]], None] | None = None, **more: Any) -> TrainedModel:
    options = {"strategy": "2-way", "start": folder_of(family), "steps": 3, "batch": 2, "held_out_queries": 2}
    options |= {"evaluate_every": 9, "checkpoint_every": 1, "threads": 1}
    return train_model(report=report, preset="tiny", out=out, **{**options, **more})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    (file,) = folder.glob("*model.safetensors")
    return load_file(file)


def logliks(model: str) -> list[Sequence[Loglik]]:
    return [answer.logliks for answer in load_model(model, 4).answer(PROMPTS, DEV.image)]


def totals(model: str) -> list[float]:
    return [loglik.total for of_prompt in logliks(model) for loglik in of_prompt]


class _Killed(BaseException):
    """Ends a training as a kill does: between two steps, without anything that ends it properly."""


def interrupt(line: dict[str, Any]) -> None:
    if line["step"] == 2:
        raise _Killed


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Instruction data about one image, about two in several turns, and without any."""
    folder = tmp_path_factory.mktemp("tasks")
    write_images(folder)
    turns = ("<image>\nWhat is it?", "a red", "and <image>?", "a blue")
    return write_list(
        folder / "tasks.json",
        [*questions(6), llava(*turns, image=["red.png", "blue.png"]), llava("what is the second colour?", "green")],
    )


@pytest.mark.parametrize(
    ("family", "strategy", "way"),
    [
        pytest.param(family, strategy, way, marks=[pytest.mark.slow] * ((family, way) != QUICK))
        for family in FAMILIES
        for strategy, way in (("2-way", "lora"), ("mix", "full"))
    ],
)
def test_a_family_is_trained_and_resumes_to_the_same_weights(
    family: str, strategy: str, way: str, tasks: Path, tmp_path: Path
) -> None:
    options = {**WAYS[way], "strategy": strategy, "evaluate_every": 2}
    if strategy == "mix":
        options |= {"tasks": tasks, "tasks_share": 0.5, "batch": 4}
    trained = train(family, tmp_path / "whole", **options)
    with pytest.raises(_Killed):
        train(family, tmp_path / "parts", report=interrupt, **options)
    assert sorted(path.name for path in (tmp_path / "parts" / "checkpoints").iterdir()) == ["step-000001"]
    again = train(family, tmp_path / "parts", **options)
    whole, parts = weights(trained.path), weights(again.path)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert totals(str(trained.path)) != pytest.approx(totals(str(folder_of(family))), abs=1e-6)
    if strategy == "mix":
        assert trained.metrics["tasks_loss"].dropna().gt(0).all()
    if way == "full":
        before = weights(folder_of(family))
        changed = {key for key in before if not torch.equal(before[key], whole[key])}
        assert any("layers" in key for key in changed)
        assert not any(
            encoder in key for key in changed for encoder in ("vision_tower", "vision_model", "visual.blocks")
        )


def test_an_adapter_is_stored_alone_and_merged_on_request(tmp_path: Path) -> None:
    alone, merged = (train("qwen2_5_vl", tmp_path / n, lora=2, merge=m) for n, m in (("alone", False), ("all", True)))
    assert json.loads((alone.path / "adapter_config.json").read_text())["base_model_name_or_path"] == str(
        folder_of("qwen2_5_vl")
    )
    assert not (alone.path / "config.json").exists()
    assert not (merged.path / "adapter_config.json").exists()
    stored = weights(alone.path)
    assert {name.rpartition("layers.")[2].partition(".lora")[0] for name in stored if "lora_" in name} == {
        f"{layer}.self_attn.{part}_proj" for layer in (0, 1) for part in "qkvo"
    }
    assert any("merger" in name for name in stored)
    assert sum(tensor.numel() for tensor in stored.values()) < 0.5 * sum(
        t.numel() for t in weights(merged.path).values()
    )
    assert totals(str(alone.path)) == pytest.approx(totals(str(merged.path)), abs=1e-3)
    assert alone.card["lora"] == 2
    with pytest.raises(UserError, match=r"out .*: contains a model; choose another folder, or overwrite"):
        train("qwen2_5_vl", alone.path, lora=2)


@pytest.mark.slow
def test_the_same_adapter_has_the_same_fingerprint(tmp_path: Path) -> None:
    one, other = (train("qwen2_5_vl", tmp_path / name, lora=2) for name in "ab")
    assert one.card["fingerprint"] == other.card["fingerprint"]
    assert find_checkpoint(str(one.path)).fingerprint == find_checkpoint(str(other.path)).fingerprint


def test_named_parts_and_layers_are_trained_alone(tmp_path: Path) -> None:
    before = weights(folder_of("qwen2_5_vl"))
    projector = weights(train("qwen2_5_vl", tmp_path / "projector", train=["projector"], learning_rate=1e-2).path)
    assert {key for key in before if not torch.equal(before[key], projector[key])} == {
        key for key in before if ".merger." in key
    }
    adapted = weights(train("qwen2_5_vl", tmp_path / "q", lora=2, lora_targets=["q_proj"], train=["language"]).path)
    assert {key.rpartition(".lora")[0].rpartition(".")[2] for key in adapted} == {"q_proj"}


@pytest.mark.slow
def test_the_vision_encoder_is_trained_on_request(tmp_path: Path) -> None:
    before = weights(folder_of("llava_next"))
    after = weights(train("llava_next", tmp_path / "vision", train=["vision"], learning_rate=1e-2).path)
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed
    assert all("vision_tower" in key for key in changed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": ["projectr"]}, "train projectr: the model has no such part; the nearest are 'projector'"),
        (
            {"lora": 2, "lora_targets": ["q_prj"]},
            "lora_targets q_prj: its language model has no such linear layer",
        ),
        ({"lora_targets": ["q_proj"]}, "lora_targets: is about LoRA adapters; give lora, the rank, as well"),
        ({"merge": True}, "merge: is about LoRA adapters; give lora, the rank, as well"),
        ({"lora": 2, "train": ["projector"]}, "train projector: adapters train the language model; add language"),
        ({"lora": 2, "merge": True, "quantize": True}, "merge: adapters cannot be added to weights in 4 bits"),
        ({"strategy": "vision", "lora": 2, "start": None}, "lora: the vision encoder is trained as a whole"),
    ],
)
def test_a_mistake_is_one_line_before_weights_are_read(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        train("qwen2_5_vl", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("family", "reason"),
    [
        ("blip-2", "reads one image per prompt"),
        ("t5gemma2", "with a decoder of its own"),
        ("blip", "answers no question"),
    ],
)
def test_an_architecture_that_cannot_be_trained_is_refused(family: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"start .*{reason}"):
        train(family, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_in_four_bits_need_what_reads_them(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU; test_frozen_weights_in_four_bits_are_trained_by_adapters runs")
    with pytest.raises(UserError, match=r"^quantize: cannot be loaded here: "):
        train("qwen2_5_vl", tmp_path / "out", lora=2, quantize=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="4-bit weights need a GPU")
def test_frozen_weights_in_four_bits_are_trained_by_adapters(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="4-bit weights need bitsandbytes")
    trained = train("qwen2_5_vl", tmp_path / "out", lora=2, quantize=True)
    assert any("lora_" in name for name in weights(trained.path))


@pytest.mark.slow
def test_an_adapter_is_merged_before_it_is_trained_on(tmp_path: Path) -> None:
    first = train("qwen2_5_vl", tmp_path / "first", lora=2)
    second = train("qwen2_5_vl", tmp_path / "second", start=first.path, train=["projector"])
    merged, after = weights(folder_of("qwen2_5_vl")), weights(second.path)
    changed = {key for key in merged if not torch.equal(merged[key], after[key])}
    assert any("q_proj" in key for key in changed)
    with pytest.raises(
        UserError, match=r"start .*: is an adapter, which new adapters would have to be stored with; give"
    ):
        check_training(TrainConfig.create("tiny", strategy="2-way", start=str(first.path), out=tmp_path / "x", lora=2))


def test_the_check_reads_no_weights(tmp_path: Path) -> None:
    folder = tmp_path / "without"
    folder.mkdir()
    for file in folder_of("gemma3").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    plan = check_training(TrainConfig.create("tiny", strategy="2-way", start=str(folder), out=tmp_path / "out"))
    (folder / "model.safetensors").unlink()
    check_network(plan)
