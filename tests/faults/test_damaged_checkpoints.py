"""Every file of a checkpoint folder, damaged in every way: one line that names the checkpoint, and no other numbers."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lcl_lab as lcl
from lcl_lab.commands import main
from lcl_lab.errors import UserError
from lcl_lab.models import check_requirements, checkpoint, find_checkpoint, load_model, strategy_of
from lcl_lab.models.checkpoint import shipped_folder
from lcl_lab.prompts import chat

pytestmark = [pytest.mark.attack, pytest.mark.timeout(60)]

DEEP = 100_000
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "binary": lambda _: bytes(range(256)),
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "list": lambda _: b"[]",
    "text": lambda _: b'"text"',
    "number": lambda _: b"5",
    "null": lambda _: b"null",
    "nested lists": lambda _: b"[" * DEEP,
    "nested objects": lambda _: b'{"a":' * DEEP,
    "two objects": lambda _: b"{}{}",
    "page of a login": lambda _: b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "pointer of git lfs": lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
}
PLACES = ("folder", "pipe", "link to itself", "broken link", "socket")
OBJECTS = (
    *("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json"),
    *("preprocessor_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json", "card.json"),
    *("training.json", "model.safetensors.index.json"),
)
OTHERS = ("model.safetensors", "chat_template.jinja", "vocab.json", "merges.txt", "tokenizer.model")


def set_in(*place: str, **values: object) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        for key in place:
            content = content.setdefault(key, {})
        content.update(values)

    return change


CONTENTS: dict[str, dict[str, Callable[[dict[str, Any]], None]]] = {
    "config.json": {
        "vocab_size many": set_in("text_config", vocab_size="many"),
        "vocab_size 1": set_in("text_config", vocab_size=1),
        "vocab_size 1e12": set_in("text_config", vocab_size=10**12),
        "hidden_size -1": set_in("text_config", hidden_size=-1),
        "hidden_size NaN": set_in("text_config", hidden_size=float("nan")),
        "hidden_size 1e12": set_in("text_config", hidden_size=10**12),
        "num_hidden_layers 1e9": set_in("text_config", num_hidden_layers=10**9),
        "num_hidden_layers infinite": set_in("text_config", num_hidden_layers=float("inf")),
        "num_hidden_layers -1": set_in("text_config", num_hidden_layers=-1),
        "num_hidden_layers 1.5": set_in("text_config", num_hidden_layers=1.5),
        "num_hidden_layers of the vision encoder 1e9": set_in("vision_config", num_hidden_layers=10**9),
        "num_attention_heads 0": set_in("text_config", num_attention_heads=0),
        "max_position_embeddings x": set_in("text_config", max_position_embeddings="x"),
        "hidden_act unknown": set_in("text_config", hidden_act="nothing"),
        "rope_parameters x": set_in("text_config", rope_parameters="x"),
        "eos_token_id x": set_in("text_config", eos_token_id="x"),
        "patch_size 0": set_in("vision_config", patch_size=0),
        "image_size -5": set_in("vision_config", image_size=-5),
        "text_config list": set_in(text_config=[]),
        "text_config text": set_in(text_config="x"),
        "vision_config list": set_in(vision_config=[]),
        "model_type number": set_in(model_type=5),
        "model_type list": set_in(model_type=["llava"]),
        "model_type object": set_in(model_type={}),
        "model_type null": set_in(model_type=None),
        "model_type unknown": set_in(model_type="nothing"),
        "model_type of text only": set_in(model_type="llama"),
        "model_type of other weights": set_in(model_type="lcl_flamingo"),
        "dtype unknown": set_in(dtype="float99"),
        "quantization_config number": set_in(quantization_config=5),
        "quantization_config list": set_in(quantization_config=[]),
        "image_token_index x": set_in(image_token_index="x"),
        "image_token_index 1e9": set_in(image_token_index=10**9),
    },
    "generation_config.json": {
        f"eos_token_id {value}": set_in(eos_token_id=value) for value in ("x", ["x"], 10**9, -5, {}, 1.5, [None])
    },
    "tokenizer.json": {
        "model null": set_in(model=None),
        "type unknown": set_in("model", type="X"),
        "vocab list": set_in("model", vocab=[]),
        "vocab empty": set_in("model", vocab={}),
        "added_tokens text": set_in(added_tokens="x"),
        "normalizer unknown": set_in(normalizer={"type": "x"}),
    },
    "tokenizer_config.json": {
        "tokenizer_class number": set_in(tokenizer_class=5),
        "eos_token list": set_in(eos_token=["x"]),
        "eos_token number": set_in(eos_token=5),
        "model_max_length text": set_in(model_max_length="x"),
        "extra_special_tokens number": set_in(extra_special_tokens=5),
        "added_tokens_decoder number": set_in(added_tokens_decoder={"x": 5}),
    },
    "processor_config.json": {
        "processor_class unknown": set_in(processor_class="Nothing"),
        "processor_class number": set_in(processor_class=5),
        "image_processor number": set_in(image_processor=5),
        "image_processor_type unknown": set_in("image_processor", image_processor_type="Nothing"),
        "patch_size text": set_in(patch_size="x"),
        "patch_size 0": set_in(patch_size=0),
        "size text": set_in("image_processor", size="x"),
        "size negative": set_in("image_processor", size={"shortest_edge": -1}),
        "crop_size 0": set_in("image_processor", crop_size={"height": 0, "width": 0}),
        "image_mean text": set_in("image_processor", image_mean="x"),
        "image_mean NaN": set_in("image_processor", image_mean=[float("nan")] * 3),
        "image_std 0": set_in("image_processor", image_std=[0, 0, 0]),
    },
    "model.safetensors.index.json": {
        "no weight_map": set_in(metadata={}),
        "weight_map list": set_in(weight_map=[]),
        "weight_map of numbers": set_in(weight_map={"a": 5}),
        "weight_map of lists": set_in(weight_map={"a": ["x"]}),
        "weight_map of another folder": set_in(weight_map={"a": "../../x.safetensors"}),
    },
    "card.json": {
        "fingerprint number": set_in(fingerprint=5),
        "fingerprint null": set_in(fingerprint=None),
        "fingerprint of another model": set_in(fingerprint="0" * 16),
    },
    "special_tokens_map.json": {"eos_token number": set_in(eos_token=5)},
}
TEMPLATES = {
    "blank": b" \n",
    "unfinished": b"{% for",
    "undefined": b"{{ nothing.x }}",
    "raises": b"{{ raise_exception('no\nimages') }}",
    "constant": b"hello",
    "imports": b"{% import 'x' as y %}",
    "private": b"{{ ''.__class__.__mro__ }}",
    "divides": b"{{ 1 / 0 }}",
    "binary": bytes(range(256)),
}
WEIGHTS = {
    "header of 2^63 bytes": lambda content: (2**63 - 1).to_bytes(8, "little") + content[8:],
    "header of 0 bytes": lambda content: bytes(8) + content[8:],
    "no tensors": lambda _: (2).to_bytes(8, "little") + b"{}",
    "longer": lambda content: content + b"x",
    "shorter": lambda content: content[:-100],
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that ships with the package, without its card, as one of the user."""
    folder = Path(shutil.copytree(shipped_folder() / "base", tmp_path / "model"))
    (folder / "card.json").unlink()
    return folder


def refused(act: Callable[[], object], name: object) -> str:
    with pytest.raises(UserError) as caught:
        act()
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert len(line) < 1500
    assert str(name) in line
    return line


def answered(model: Path) -> object:
    """What a study does with a model: find it, check it, load it, let it answer."""
    found = find_checkpoint(str(model))
    world = lcl.load_dataset("world-100")
    episode = lcl.draw_episode(world, shots=2)
    check_requirements(found, "auto", chat(episode), world.image)
    return lcl.answer(load_model(found), episode)


def replace_by(file: Path, place: str) -> None:
    file.unlink(missing_ok=True)
    match place:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "link to itself":
            file.symlink_to(file)
        case "broken link":
            file.symlink_to("/nowhere/file")
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener, pytest.MonkeyPatch.context() as patch:
                patch.chdir(file.parent)  # addresses are short
                listener.bind(file.name)


@pytest.mark.parametrize("attack", BYTES)
@pytest.mark.parametrize("name", OBJECTS)
def test_a_damaged_object_is_found_before_anything_is_loaded(name: str, attack: str, model: Path) -> None:
    file = model / name
    file.write_bytes(BYTES[attack](file.read_bytes() if file.exists() else b'{"a": 1}'))
    assert f"{file} is damaged: not " in refused(lambda: find_checkpoint(str(model)), model)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", [*OBJECTS, *OTHERS])
def test_what_is_no_regular_file_is_found_before_anything_is_loaded(name: str, place: str, model: Path) -> None:
    replace_by(model / name, place)
    line = refused(lambda: find_checkpoint(str(model)), model)
    assert ("no config.json in" if name == "config.json" else f"{name} is damaged: ") in line


@pytest.mark.parametrize(
    ("name", "attack"), [(name, attack) for name, attacks in CONTENTS.items() for attack in attacks]
)
def test_an_impossible_value_is_one_line(name: str, attack: str, model: Path) -> None:
    file = model / name
    content = json.loads(file.read_text()) if file.exists() else {}
    CONTENTS[name][attack](content)
    file.write_text(json.dumps(content))
    refused(lambda: answered(model), model)


@pytest.mark.parametrize("attack", TEMPLATES)
def test_a_damaged_template_is_one_line(attack: str, model: Path) -> None:
    (model / "chat_template.jinja").write_bytes(TEMPLATES[attack])
    refused(lambda: answered(model), model)
    refused(lambda: load_model(str(model)), model)  # also without the check of its requirements


@pytest.mark.parametrize("attack", WEIGHTS)
def test_damaged_weights_are_found_before_anything_is_loaded(attack: str, model: Path) -> None:
    file = model / "model.safetensors"
    file.write_bytes(WEIGHTS[attack](file.read_bytes()))
    assert str(file) in refused(lambda: find_checkpoint(str(model)), model)


@pytest.fixture
def adapter(model: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": str(model), "peft_type": "LORA"})
    )
    shutil.copy(model / "model.safetensors", folder / "adapter_model.safetensors")
    return folder


@pytest.mark.parametrize("attack", [*BYTES, *PLACES])
@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_damaged_adapter_is_one_line(name: str, attack: str, adapter: Path) -> None:
    file = adapter / name
    if attack in PLACES:
        replace_by(file, attack)
    else:
        content = b'{"a": 1}' if name.endswith(".safetensors") else file.read_bytes()
        file.write_bytes(BYTES[attack](content))
    refused(lambda: find_checkpoint(str(adapter)), adapter)


@pytest.mark.parametrize("base", [None, 5, [], {}, "", "adapter", "/nowhere", "a\0b", "x" * 5000, "a=" * 3000])
def test_an_adapter_of_an_impossible_base_is_one_line(base: object, adapter: Path) -> None:
    base = str(adapter) if base == "adapter" else base
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    refused(lambda: find_checkpoint(str(adapter)), adapter)


def test_an_adapter_of_an_adapter_is_refused(adapter: Path, model: Path) -> None:
    refused(lambda: find_checkpoint(f"{model}+{adapter}+{adapter}"), adapter)


@pytest.mark.parametrize("peft", ["x", 5, None, "LORA"])
def test_an_adapter_that_does_not_fit_is_one_line(peft: object, adapter: Path) -> None:
    content = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**content, "peft_type": peft, "r": "many"}))
    refused(lambda: answered(adapter), adapter)


@pytest.mark.parametrize(
    "name", ["\0", "a\0b", "x" * 300, "x" * 5000, "x/" * 3000, "a=" * 3000 + "b", "\udcff", " ", ".", ".."]
)
def test_a_name_that_no_file_can_have_is_one_line(name: str) -> None:
    refused(lambda: find_checkpoint(name), "model")


@pytest.mark.parametrize("attack", BYTES)
def test_a_damaged_card_of_a_shipped_model_is_one_line(
    attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(shipped_folder() / "base", tmp_path / "models" / "base"))
    monkeypatch.setitem(checkpoint._FAMILIES, "mini", tmp_path / "models")
    card = folder / "card.json"
    card.write_bytes(BYTES[attack](card.read_bytes()))
    refused(lambda: find_checkpoint("mini/base"), card)
    refused(lambda: strategy_of("mini/base"), card)
    with pytest.raises(SystemExit) as ended:
        main(["study", "false_ratio", "--model", "mini/base", "--results", str(tmp_path / "results")])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert printed.err.startswith(f"error: --model mini/base: {card} is damaged: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("attack", ["empty", "binary", "list", "nested lists", "missing"])
def test_checkpoints_of_an_unknown_training_are_not_resumed(attack: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "checkpoints" / "step-000002").mkdir(parents=True)
    if attack != "missing":
        (out / "training.json").write_bytes(BYTES[attack](b"{}"))
    line = refused(lambda: lcl.train_model(strategy="2-way", preset="tiny", out=out), out)
    assert "training.json is damaged or missing; overwrite to restart" in line
