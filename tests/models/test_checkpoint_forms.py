"""Checkpoints in the forms in which people have them on disk."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

import lcl_lab as lcl
from lcl_lab.benchmarks.architectures import build
from lcl_lab.concepts import ImageRef
from lcl_lab.episodes import Episode
from lcl_lab.errors import UserError
from lcl_lab.evaluation import episode_design, evaluate_run
from lcl_lab.models import ModelSettings, find_checkpoint, load_model
from lcl_lab.models.engine import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.preflight import check_requirements
from lcl_lab.prompts import Prompt, Turn, chat
from lcl_lab.store import Run, read_records
from tests.models.factories import build as build_llava

WORLD = lcl.load_dataset("world-100")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("qwen2_vl", tmp_path_factory.mktemp("forms") / "base")


@pytest.fixture
def episode() -> Episode:
    return lcl.draw_episode(WORLD, 0, 0, shots=2)


def saved(base: Path, folder: Path, dtype: torch.dtype = torch.float32, **how: Any) -> Path:
    AutoModelForImageTextToText.from_pretrained(base, dtype=dtype).save_pretrained(folder, **how)
    AutoProcessor.from_pretrained(base).save_pretrained(folder)
    return folder


def totals(name: object, episode: Episode, **settings: Any) -> list[float]:
    model = load_model(find_checkpoint(str(name), settings=ModelSettings(**settings)))
    return [loglik.total for loglik in lcl.answer(model, episode).answer.logliks]


def adapter(base: Path, folder: Path) -> Path:
    """A LoRA adapter with random weights."""
    model = AutoModelForImageTextToText.from_pretrained(base)
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(model, lora).save_pretrained(folder)
    return folder


def test_an_adapter_is_loaded_on_its_base(base: Path, tmp_path: Path, episode: Episode) -> None:
    folder = adapter(base, tmp_path / "adapter")
    found = totals(folder, episode)
    assert found == pytest.approx(totals(f"{base}+{folder}", episode), abs=1e-5)
    assert found != pytest.approx(totals(base, episode), abs=1e-2)
    assert find_checkpoint(str(folder)).fingerprint != find_checkpoint(str(base)).fingerprint

    merged = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), folder).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    AutoProcessor.from_pretrained(base).save_pretrained(tmp_path / "merged")
    assert found == pytest.approx(totals(tmp_path / "merged", episode), abs=1e-4)


def test_an_adapter_without_its_base_is_an_error(base: Path, tmp_path: Path) -> None:
    folder = adapter(base, tmp_path / "adapter")
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"base_model_name_or_path": str(tmp_path / "gone")}))
    with pytest.raises(UserError, match=r"its base model: .*gone.*; give another base as BASE\+"):
        find_checkpoint(str(folder))
    file.write_text("{}")
    with pytest.raises(UserError, match="names no base model"):
        find_checkpoint(str(folder))
    with pytest.raises(UserError, match=r"no adapter_config.json with adapter_model.safetensors"):
        find_checkpoint(f"{base}+{tmp_path}")


def test_shards_are_read_and_a_missing_one_is_an_error(base: Path, tmp_path: Path, episode: Episode) -> None:
    folder = saved(base, tmp_path / "sharded", max_shard_size="200KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2
    assert totals(folder, episode) == pytest.approx(totals(base, episode), abs=1e-5)
    shards[1].unlink()
    with pytest.raises(UserError, match=f"lacks {shards[1].name}, one of its shards"):
        find_checkpoint(str(folder))


def test_missing_tensors_are_an_error(base: Path, tmp_path: Path, episode: Episode) -> None:
    folder = saved(base, tmp_path / "partial")
    tensors = load_file(folder / "model.safetensors")
    removed = next(name for name in tensors if "mlp" in name)
    rest = {name: tensor for name, tensor in tensors.items() if name != removed}
    save_file(rest, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"1 tensors of its architecture are missing in its weights, such as .*mlp"):
        totals(folder, episode)


def test_weights_that_are_not_finite_are_an_error(base: Path, tmp_path: Path, episode: Episode) -> None:
    folder = saved(base, tmp_path / "nan")
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "mlp" in name)
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"log-likelihoods are not finite: its weight .*mlp"):
        totals(folder, episode)


def test_bfloat16_weights_are_computed_in_float32_on_a_cpu(base: Path, tmp_path: Path, episode: Episode) -> None:
    folder = saved(base, tmp_path / "bf16", torch.bfloat16)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    model.save_pretrained(tmp_path / "float32")
    AutoProcessor.from_pretrained(base).save_pretrained(tmp_path / "float32")
    assert totals(folder, episode) == pytest.approx(totals(tmp_path / "float32", episode), abs=1e-5)
    in_bfloat16 = load_model(str(folder), dtype="bfloat16")
    rough = [loglik.total for loglik in lcl.answer(in_bfloat16, episode).answer.logliks]
    assert rough == pytest.approx(totals(folder, episode), rel=0.05)


QUANTIZED = {
    "bitsandbytes": ({"load_in_4bit": True}, "bitsandbytes"),
    "gptq": ({"bits": 4}, "(?i)gptq|optimum"),
    "awq": ({"bits": 4}, "(?i)awq|gptq"),
    "compressed-tensors": ({}, "compressed-tensors"),
    "torchao": ({"quant_type": "int8_weight_only"}, "torchao"),
    "made-up": ({}, "made-up"),
}


@pytest.mark.parametrize("method", QUANTIZED)
def test_a_quantized_checkpoint_names_the_missing_package(method: str, base: Path, tmp_path: Path) -> None:
    settings, package = QUANTIZED[method]
    folder = Path(shutil.copytree(base, tmp_path / method))
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": method, **settings}
    (folder / "config.json").write_text(json.dumps(config))
    prompt = chat(lcl.draw_episode(WORLD, 0, 0, shots=2))
    with pytest.raises(UserError, match=r"it is quantized, and cannot be loaded here: .+") as caught:
        check_requirements(find_checkpoint(str(folder)), "auto", prompt, WORLD.image)
    assert "\n" not in str(caught.value)
    assert re.search(package, str(caught.value))


def test_settings_of_the_processor_change_the_tokens_of_an_image(base: Path, episode: Episode) -> None:
    def per_image(**processor: object) -> int:
        checkpoint = find_checkpoint(str(base), settings=ModelSettings(processor=processor))
        return check_requirements(checkpoint, "auto", chat(episode), WORLD.image).per_image

    small = {"size": {"shortest_edge": 256, "longest_edge": 1024}}
    assert per_image(**small) < per_image()
    assert totals(base, episode, processor=small) != pytest.approx(totals(base, episode), abs=1e-2)
    plain = find_checkpoint(str(base)).identity()
    assert find_checkpoint(str(base), settings=ModelSettings(processor=small)).identity() != plain
    with pytest.raises(UserError, match=r"processor: max_pixel is unknown; did you mean 'max_pixels'\?"):
        per_image(max_pixel=5)


def test_the_length_of_an_answer_is_a_setting(base: Path, episode: Episode) -> None:
    def answer(tokens: int) -> Any:
        checkpoint = find_checkpoint(str(base), settings=ModelSettings(max_new_tokens=tokens))
        return lcl.answer(load_model(checkpoint), episode).answer

    short, long = answer(3), answer(12)
    assert short.cut_off
    assert long.text.startswith(short.text.rstrip("\ufffd"))
    assert len(long.text) > len(short.text)


@pytest.mark.parametrize("engine", ["tree", "reference"])
def test_an_answer_is_as_long_as_its_longest_candidate(engine: str, base: Path) -> None:
    """Other prompts of a batch, which have longer candidates, do not matter."""
    model = load_model(str(base))
    if engine == "reference":
        model.engine = ReferenceEngine(model.network, model.processor, model.encoder, 8, None)
    turns = (Turn("user", ("What is this?", ImageRef("world-100", "000", 0))),)
    words = ("dax", "a much longer name that has many tokens, more than sixteen of them")
    prompts = [Prompt(turns, (word, "wug")) for word in words]
    prompts.append(Prompt((Turn("user", ("Which?", ImageRef("world-100", "001", 0))),), ("dax", "wug")))
    limits = [model.encoder(prompt).answer_limit(None) for prompt in prompts]
    assert limits[0] == limits[2] == 16 < limits[1] == len(model.encoder(prompts[1]).candidates[0])
    together = [answer.text for answer in model.answer(prompts, WORLD.image)]
    assert together == [answer.text for prompt in prompts for answer in model.answer([prompt], WORLD.image)]
    long = ModelSettings(max_new_tokens=limits[1])
    (expected,) = load_model(find_checkpoint(str(base), settings=long)).answer([prompts[0]], WORLD.image)
    assert together[1] == expected.text != together[0]
    assert expected.text.startswith(together[0].rstrip("\ufffd"))


def test_a_checkpoint_whose_code_fails_is_an_error(base: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(base, tmp_path / "code"))
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "not_in_transformers", "auto_map": {"AutoConfig": "configuration_own.OwnConfig"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "configuration_own.py").write_text("raise RuntimeError('this code runs')\n")
    prompt = chat(lcl.draw_episode(WORLD, 0, 0, shots=2))
    with pytest.raises(UserError, match="contains Python code, which only --trust-remote-code runs"):
        check_requirements(find_checkpoint(str(folder)), "auto", prompt, WORLD.image)
    trusted = find_checkpoint(str(folder), settings=ModelSettings(trust_remote_code=True))
    with pytest.raises(UserError, match="this code runs"):
        check_requirements(trusted, "auto", prompt, WORLD.image)


OWN_CODE = """
from transformers import LlavaConfig, LlavaForConditionalGeneration


class OwnConfig(LlavaConfig):
    model_type = "own_llava"


class OwnForConditionalGeneration(LlavaForConditionalGeneration):
    config_class = OwnConfig

    def forward(self, input_ids=None, pixel_values=None, attention_mask=None, **options):
        outputs = super().forward(input_ids, pixel_values, attention_mask=attention_mask, **options)
        outputs.logits = outputs.logits / 2
        return outputs
"""


@pytest.fixture
def own_code(tmp_path: Path) -> Path:
    """A checkpoint with modelling code, which halves the logits of a LLaVA."""
    folder = build_llava("llava", tmp_path / "own")
    tensors = AutoModelForImageTextToText.from_pretrained(folder).state_dict()
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "OwnConfig", "AutoModelForImageTextToText": "OwnForConditionalGeneration"}
    config |= {"model_type": "own_llava", "auto_map": {auto: f"modeling_own.{own}" for auto, own in classes.items()}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_own.py").write_text(OWN_CODE)
    return folder


def test_the_code_of_a_trusted_checkpoint_is_evaluated_exactly(own_code: Path, episode: Episode) -> None:
    prompt = chat(episode)
    model = AutoModelForImageTextToText.from_pretrained(own_code, trust_remote_code=True)
    assert type(model).__name__ == "OwnForConditionalGeneration"
    processor = AutoProcessor.from_pretrained(own_code)
    encoder = PromptEncoder(processor)
    images = [WORLD.image(ref) for ref in prompt.images]
    inputs = processor(text=[encoder.render(prompt)], images=[images], return_tensors="pt")
    expected = []
    for candidate in map(torch.tensor, encoder(prompt).candidates):
        ids = torch.cat([inputs["input_ids"], candidate[None]], dim=1)
        with torch.inference_mode():
            logits = model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits[0, -len(candidate) - 1 : -1]
        expected.append(float(logits.log_softmax(-1).gather(-1, candidate[:, None]).sum()))
    assert totals(own_code, episode, trust_remote_code=True) == pytest.approx(expected, abs=1e-4)


def test_code_outside_of_a_checkpoint_is_refused(own_code: Path) -> None:
    file = own_code / "config.json"
    file.write_text(file.read_text().replace("modeling_own.OwnConfig", "someone/own--modeling_own.OwnConfig"))
    find_checkpoint(str(own_code))
    reason = r"config.json takes code from someone/own; copy the code to .* and name it modeling_own\.OwnConfig"
    with pytest.raises(UserError, match=reason):
        find_checkpoint(str(own_code), settings=ModelSettings(trust_remote_code=True))


def test_records_of_a_trusted_checkpoint_belong_to_its_code(own_code: Path, tmp_path: Path) -> None:
    design = episode_design(WORLD, 2, [({"shots": 2}, lambda query: lcl.draw_episode(WORLD, 0, query, shots=2))])

    def evaluated(trusted: bool = True) -> bool:
        """Evaluate what is not stored yet; false if there is nothing."""
        settings = ModelSettings(trust_remote_code=trusted)
        with Run.open(tmp_path / "runs", "own", {}) as run:
            return evaluate_run(run, [find_checkpoint(str(own_code), settings=settings)], design) != "none"

    with pytest.raises(UserError, match="contains Python code, which only --trust-remote-code runs") as refused:
        evaluated(trusted=False)
    assert "\n" not in str(refused.value)
    assert (evaluated(), evaluated()) == (True, False)
    (own_code / "modeling_own.py").write_text(OWN_CODE.replace("/ 2", "/ 3"))
    assert evaluated()
    records = read_records(tmp_path / "runs")
    assert len(records) == 4
    assert (records.groupby("query_id")["loglik_true"].agg(np.ptp) > 1e-3).all()
