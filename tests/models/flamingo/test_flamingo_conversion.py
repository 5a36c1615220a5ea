"""Tiny releases in each layout are converted to the same function, with the release's tokens, prompts and images."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import sentencepiece
import torch
from open_clip.transform import image_transform
from PIL import Image
from torch import Tensor
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    MptConfig,
)

from lcl_lab.errors import UserError
from lcl_lab.models.convert import ConvertConfig, convert_release
from lcl_lab.models.convert.clip_weights import load_vision_tower
from lcl_lab.models.convert.flamingo_folder import load_tokenizer
from lcl_lab.models.mini.vision_tower import vision_tower_from_open_clip
from tests.models.flamingo.factories import Release, write_openflamingo, write_otter
from tests.models.flamingo.formulas import expected_logits

FAMILIES = ("llama", "mpt", "mosaic_gpt", "gpt_neox", "opt")


def convert(release: Release, target: Path, **options: Any) -> Path:
    parts = {"language_model": str(release.language_model), "vision_tower": str(release.tower)}
    return convert_release(ConvertConfig(source=release.source, target=target, **(parts | options)))


def logits(folder: Path) -> Tensor:
    """Logits of a prompt with two images."""
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    image = model.config.image_token_id
    pixels = torch.randn(1, 2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        output: Tensor = model(torch.tensor([[7, image, 9, 11, image, 13, 15]]), pixels).logits[0]
    return output


def expected(release: Release, image: int) -> Tensor:
    pixels = torch.randn(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    tower = {k.removeprefix("vision_model."): t for k, t in load_vision_tower(str(release.tower)).state_dict().items()}
    return expected_logits(release, tower, [7, image, 9, 11, image, 13, 15], {1: pixels[0], 4: pixels[1]})


@pytest.mark.parametrize("family", FAMILIES)
def test_all_variants_of_a_checkpoint_pt_are_the_same_model(family: str, tmp_path: Path) -> None:
    outputs = []
    for name, options in {
        "trained": {},
        "frozen": {"frozen": True},
        "distributed": {"prefix": "module."},
    }.items():
        (tmp_path / name).mkdir()
        release = write_openflamingo(tmp_path / name, family, **options)  # type: ignore[arg-type]
        outputs.append(logits(convert(release, tmp_path / name / "converted")))
        assert outputs[-1].std() > 0.1
        assert torch.equal(outputs[0], outputs[-1])


@pytest.mark.parametrize("family", ["llama", "mpt", "mosaic_gpt"])
def test_an_otter_has_the_logits_of_the_formulas(family: str, tmp_path: Path) -> None:
    release = write_otter(tmp_path, family)
    target = convert(release, tmp_path / "converted", language_model=None)
    tokenizer = AutoProcessor.from_pretrained(target).tokenizer
    names = ["<|endofchunk|>", "<image>", "<answer>"]
    ids = tokenizer.convert_tokens_to_ids(names)
    first = len(tokenizer) - len(names) - (tokenizer.pad_token == "<PAD>")
    assert ids == list(range(first, first + 3))
    assert (logits(target) - expected(release, ids[1])).abs().max() < 1e-4


def test_an_openflamingo_in_the_layout_of_otter_keeps_its_prompts(tmp_path: Path) -> None:
    release = write_otter(tmp_path, "mpt")
    rewrite(release.source / "config.json", model_type="flamingo")
    processor = AutoProcessor.from_pretrained(convert(release, tmp_path / "converted"))
    assert "<answer>" not in processor.tokenizer.get_vocab()
    assert "Output:" in processor.chat_template
    assert processor.image_processor.rounds_crop


@pytest.mark.slow
def test_the_command_detects_the_layout(tmp_path: Path) -> None:
    release = write_openflamingo(tmp_path, "mpt")
    command = [sys.executable, "-m", "lcl_lab.models.convert_shikra", str(release.source / "checkpoint.pt")]
    target = tmp_path / "converted"
    command += [str(target), "--language-model", str(release.language_model), "--vision-tower", str(release.tower)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, str(target)), done.stderr
    config = json.loads((target / "config.json").read_text())
    assert (config["model_type"], config["cross_attn_every_n_layers"]) == ("lcl_flamingo", 2)
    assert config["text_config"]["max_position_embeddings"] == 2048


def test_new_tokens_of_an_untied_head_get_the_logit_zero(tmp_path: Path) -> None:
    release = write_openflamingo(tmp_path, "llama")
    output = logits(convert(release, tmp_path / "converted"))
    assert not output[:, -3:].any()  # two of the release, and one for padding
    assert output[:, :-3].all()


def test_a_frame_embedding_is_added_to_the_patches(tmp_path: Path) -> None:
    release = write_otter(tmp_path, "llama")
    before = logits(convert(release, tmp_path / "image"))
    shard = release.source / "pytorch_model-00001-of-00002.bin"
    state = torch.load(shard, weights_only=True)
    torch.save(state | {"perceiver.frame_embs": torch.ones(3, 48)}, shard)
    video = convert(release, tmp_path / "video")
    assert not torch.allclose(before, logits(video))
    assert json.loads((video / "config.json").read_text())["num_frames"] == 3


def test_the_clip_may_be_one_of_open_clip(tmp_path: Path) -> None:
    config = {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": {"image_size": 28, "layers": 2, "width": 48, "head_width": 16, "patch_size": 14},
        "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1},
    }
    (tmp_path / "tiny-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    clip = open_clip.create_model("tiny-clip")
    torch.save(clip.state_dict(), tmp_path / "tiny.pt")
    tower = load_vision_tower(f"tiny-clip:{tmp_path / 'tiny.pt'}")
    settings = {"hidden_size": 48, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 3}
    same = CLIPVisionConfig(**settings, image_size=28, patch_size=14, hidden_act="quick_gelu")
    pixels = torch.randn(2, 3, 28, 28)
    with torch.inference_mode():
        output = tower(pixels).last_hidden_state
        assert torch.equal(output, vision_tower_from_open_clip(clip.state_dict(), same)(pixels).last_hidden_state)
        pooled = clip.visual.ln_post(output[:, 0]) @ clip.visual.proj
        assert torch.allclose(pooled, clip.encode_image(pixels), atol=1e-5)
    (tmp_path / "folder").mkdir()
    (tmp_path / "tiny.pt").rename(tmp_path / "folder" / "open_clip_pytorch_model.bin")
    (tmp_path / "folder" / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    with torch.inference_mode():
        assert torch.equal(load_vision_tower(str(tmp_path / "folder"))(pixels).last_hidden_state, output)


def test_a_convolutional_clip_is_refused(tmp_path: Path) -> None:
    config = {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None},
        "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 16, "heads": 2, "layers": 1},
    }
    (tmp_path / "tiny-resnet.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    torch.save(open_clip.create_model("tiny-resnet").state_dict(), tmp_path / "tiny.pt")
    with pytest.raises(UserError, match=r"vision_tower .*: its image tower is a ModifiedResNet, not a vision"):
        load_vision_tower(f"tiny-resnet:{tmp_path / 'tiny.pt'}")


@pytest.mark.parametrize("size", [(31, 28), (28, 35), (90, 61), (64, 64)], ids=str)
def test_images_are_processed_as_in_the_release(size: tuple[int, int], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    sides = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
    writers: dict[str, tuple[Callable[..., Release], Callable[[Image.Image], Any]]] = {
        "openflamingo": (write_openflamingo, image_transform(28, is_train=False, mean=mean, std=std)),
        "otter": (write_otter, lambda one: CLIPImageProcessorPil(**sides)(one, return_tensors="pt")["pixel_values"][0]),
    }
    for name, (write, process) in writers.items():
        (tmp_path / name).mkdir()
        processor = AutoProcessor.from_pretrained(convert(write(tmp_path / name, "mpt"), tmp_path / name / "converted"))
        ours = processor(text=["<image>"], images=[[Image.fromarray(noise)]], return_tensors="pt")["pixel_values"]
        assert torch.allclose(ours[0, 0], process(Image.fromarray(noise)), atol=1e-6), name


def test_rows_with_fewer_images_are_filled_up(tmp_path: Path) -> None:
    processor = AutoProcessor.from_pretrained(convert(write_otter(tmp_path, "mpt"), tmp_path / "converted"))
    image = Image.new("RGB", (40, 30), "red")
    inputs = processor(text=["<image>a<image>", "b"], images=[[image, image], []], padding=True, return_tensors="pt")
    assert inputs["pixel_values"].shape == (2, 2, 3, 28, 28)
    assert inputs["pixel_values"][0].all()
    assert not inputs["pixel_values"][1].any()
    assert "pixel_values" not in processor(text=["b"], images=[[]], return_tensors="pt")
    with pytest.raises(ValueError, match=r"\[1, 0\] image tokens, but \[0, 1\] images"):
        processor(text=["<image>", ""], images=[[], [image]])


def test_text_after_special_tokens_begins_with_a_space_in_llama(tmp_path: Path) -> None:
    """As in versions of `transformers` at the time of the releases."""
    release = write_openflamingo(tmp_path, "llama")
    tokenizer = AutoProcessor.from_pretrained(convert(release, tmp_path / "converted")).tokenizer
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(release.language_model / "tokenizer.model"))
    image = tokenizer.convert_tokens_to_ids("<image>")
    ids = [tokenizer.bos_token_id, image, *pieces.encode("User: this"), image, *pieces.encode("Output")]
    assert tokenizer("<image>User: this<image>Output")["input_ids"] == ids
    assert tokenizer("<image> a")["input_ids"][2:] == pieces.encode(" a")


def test_the_embedding_says_whether_there_is_a_token_for_padding(tmp_path: Path) -> None:
    """Versions of `transformers` differ in whether a tokenizer has one."""
    release = write_openflamingo(tmp_path, "mpt")
    special = ("<|endofchunk|>", "<image>")
    base = len(AutoTokenizer.from_pretrained(release.language_model))
    for rows, padding, count in ((base + 2, "<pad>", base + 2), (base + 3, "<PAD>", base + 3)):
        tokenizer = load_tokenizer(str(release.language_model), MptConfig(), special, rows)
        assert (tokenizer.pad_token, len(tokenizer)) == (padding, count)
        assert tokenizer.convert_tokens_to_ids(list(special)) == [base, base + 1]


def rewrite(file: Path, **changes: Any) -> None:
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | changes))


def drop(file: Path, part: str) -> None:
    state = torch.load(file, weights_only=True)
    torch.save({key: tensor for key, tensor in state.items() if part not in key}, file)


@pytest.fixture(scope="module")
def mpt_1b(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return write_openflamingo(tmp_path_factory.mktemp("release"), "mosaic_gpt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alibi": False}, "config.json: alibi is False, but the MPT of transformers supports only True"),
        ({"logit_scale": "inv_sqrt_d_model"}, "logit_scale is 'inv_sqrt_d_model', .* only None"),
        ({"attn_clip_qkv": 6}, "clip_qkv is 6, .* only None"),
        ({"mlp_ratio": 3}, "expansion_ratio is 3, .* only 4"),
        ({"no_bias": False}, "no_bias is False, .* only True"),
        ({"prefix_lm": True}, "prefix_lm is True, .* only False"),
        ({"n_heads": 6}, "n_heads is 6; only powers of two"),
        ({"model_type": "mppt"}, "language_model .*: model type mppt is not supported; did you mean 'mpt'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_language_model_that_computes_otherwise_is_refused(
    mpt_1b: Release, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    shutil.copytree(mpt_1b.source.parent, tmp_path / "copy")
    rewrite(tmp_path / "copy" / "language-model" / "config.json", **change)
    with pytest.raises(UserError, match=message) as error:
        convert(mpt_1b, tmp_path / "converted", language_model=str(tmp_path / "copy" / "language-model"))
    assert "\n" not in str(error.value)


def test_wrong_files_are_errors_of_one_line(mpt_1b: Release, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(mpt_1b.source, source)
    weights = source / "checkpoint.pt"
    llama = tmp_path / "llama"
    llama.mkdir()
    other = write_openflamingo(llama, "llama")

    def fails(message: str, **options: Any) -> None:
        paths = {"source": source, "target": tmp_path / "converted"}
        parts = {"language_model": str(mpt_1b.language_model), "vision_tower": str(mpt_1b.tower)}
        with pytest.raises(UserError, match=message) as error:
            convert_release(ConvertConfig(**(paths | parts | options)))
        assert "\n" not in str(error.value)

    fails("source .*: has no config.json and no checkpoint.pt", source=tmp_path)
    fails("source .*: has no config.json and no checkpoint.pt", source=tmp_path / "none")
    fails("target .*: exists; give a new folder", target=tmp_path)
    fails("language_model: required for OpenFlamingo.*togethercomputer", language_model=None)
    fails("no gated_cross_attn_layer on a llama model", language_model=str(other.language_model))
    fails("language_model .*no config.json|has no config.json", language_model=str(tmp_path))
    fails("vision_tower RN5000:openai: unknown model of open_clip; did you mean", vision_tower="RN5000:openai")
    fails("vision_tower .*: ", vision_tower=str(tmp_path))
    drop(weights, "blocks.1.gated")
    drop(weights, "wte")
    fails("checkpoint.pt: no lang_encoder.transformer.wte.weight, which has rows for")
    shutil.copy(mpt_1b.source / "checkpoint.pt", weights)
    drop(weights, "perceiver.norm.bias")
    fails("checkpoint.pt: 1 tensors are missing, such as resampler.norm.bias")
    drop(weights, "perceiver")
    fails("checkpoint.pt: no perceiver.latents on a mpt model; it is not a release")
    weights.write_bytes(b"damaged")
    fails("checkpoint.pt: ")
    torch.save({"code": Path("x")}, weights)
    fails("checkpoint.pt: UnpicklingError")
    assert not list(tmp_path.glob("*converted*"))


def test_a_language_model_of_another_size_is_an_error(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = (write_openflamingo(tmp_path / name, "mpt") for name in ("one", "other"))
    tokenizer = AutoTokenizer.from_pretrained(other.language_model)
    tokenizer.add_tokens(["wug", "dax"])
    tokenizer.save_pretrained(other.language_model)
    with pytest.raises(UserError, match=r"language_model .*: its tokenizer .* but the embedding of checkpoint.pt is"):
        convert(one, tmp_path / "second", language_model=str(other.language_model))


def test_wrong_otters_are_errors_of_one_line(tmp_path: Path) -> None:
    release = write_otter(tmp_path, "mpt")
    config = release.source / "config.json"
    original = config.read_text()
    text = json.loads(original)["text_config"]
    for changes, message in (
        ({"lora_config": {"r": 8}}, "config.json: the weights of its LoRA are not merged"),
        ({"text_config": {**text, "model_type": "falcon"}}, "config.json: language models of type falcon are not"),
        ({"text_config": {**text, "_name_or_path": ""}}, "language_model: required: the release has no tokenizer"),
        (
            {"text_config": {**text, "_name_or_path": str(tmp_path)}},
            "language_model .*: has no tokenizer",
        ),
        ({"vision_config": {"hidden_size": 16, "num_attention_heads": 2}}, "are missing, such as vision_tower"),
        ({"vision_config": {"hidden_size": 16, "num_attention_heads": 3}}, "config.json: vision_config: .* multiple"),
        ({"text_config": {**text, "d_model": 16}}, "has shape .*, but its config says"),
    ):
        config.write_text(original)
        rewrite(config, **changes)
        with pytest.raises(UserError, match=message) as error:
            convert(release, tmp_path / "converted", language_model=None)
        assert "\n" not in str(error.value)
    config.write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        convert(release, tmp_path / "converted")
    config.write_text(original)
    (release.source / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(UserError, match=r"pytorch_model-00002-of-00002.bin: FileNotFoundError"):
        convert(release, tmp_path / "converted")
