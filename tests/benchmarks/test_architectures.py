"""Tiny checkpoints load, read images and answer, for every architecture of the installed transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

from lcl_lab.benchmarks.architectures import CannotBuild, build, names

DIVERSE = [
    "blip-2", "florence2", "gemma3", "idefics", "internvl", "llava", "mllama", "qwen2_5_vl", "qwen3_5", "smolvlm",
]  # fmt: skip
WITHOUT_TEXT = {"pp_formulanet", "vision-encoder-decoder"}
PLACEHOLDERS = {"chameleon": "<image>", "got_ocr2": "<img><imgpad></img>", "paligemma": "<image>"}
LEAST_DIFFERENCE = 0.01  # nats, on average over the vocabulary


def picture(seed: int) -> Image.Image:
    squares = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(squares).resize((40, 40), Image.Resampling.NEAREST)


def encode(name: str, processor: Any, images: list[Image.Image]) -> dict[str, Any]:
    """A prompt of image-label pairs and a question about the last image, as float32 tensors."""
    tensors = _encode(name, processor, images)  # Llama 4 returns images in bfloat16
    return {key: value.float() if _is_float(value) else value for key, value in tensors.items()}


def _is_float(value: Any) -> bool:
    return torch.is_tensor(value) and value.is_floating_point()


def _encode(name: str, processor: Any, images: list[Image.Image]) -> dict[str, Any]:
    options: dict[str, Any] = {"return_tensors": "pt"}
    if name == "cosmos3_edge":  # requires them, yet its processor returns them on request only
        options["return_mm_token_type_ids"] = True
    if getattr(processor, "chat_template", None):
        turns = [turn for _ in images[1:] for turn in (_turn("user", "what?", image=True), _turn("assistant", "dax"))]
        turns.append(_turn("user", "what?", image=True))
        text = processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        return dict(processor(text=[text], images=[images], **options))
    if name == "idefics":
        return dict(processor(text=[[part for image in images for part in (image, "what?")]], **options))
    if name in WITHOUT_TEXT:
        return dict(processor(images=images, **options))
    if name == "instructblipvideo":
        images = images * 4  # the frames of a clip
    text = PLACEHOLDERS.get(name, "") + "what?"
    return dict(processor(text=[text], images=[images] if name == "paligemma" else images, **options))


def _turn(role: str, text: str, image: bool = False) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "image"}] * image + [{"type": "text", "text": text}]}


def log_probabilities(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Of the next token."""
    if model.config.is_encoder_decoder:
        inputs = {"decoder_input_ids": torch.tensor([[model.generation_config.bos_token_id]])} | inputs
    with torch.no_grad():
        return model(**inputs).logits[0, -1].float().log_softmax(-1)


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().mean())


def check(name: str, folder: Path) -> None:
    build(name, folder)
    assert sum(file.stat().st_size for file in folder.rglob("*")) < 5_000_000
    hf.AutoConfig.from_pretrained(folder)
    processor = hf.AutoProcessor.from_pretrained(folder)
    model, loading = hf.AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not any(loading.values()), loading
    assert model.dtype == torch.float32

    a, b, c = (picture(seed) for seed in range(3))
    inputs = encode(name, processor, [a])
    answer = log_probabilities(model, inputs)
    assert torch.isfinite(answer).all()
    assert difference(answer, log_probabilities(model, encode(name, processor, [b]))) > LEAST_DIFFERENCE
    if getattr(processor, "chat_template", None) or name == "idefics":
        in_order, swapped = (log_probabilities(model, encode(name, processor, s)) for s in ([a, b, c], [b, a, c]))
        assert difference(in_order, swapped) > LEAST_DIFFERENCE

    assert model.generation_config.eos_token_id is not None
    assert model.generation_config.pad_token_id is not None
    generated = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    assert torch.is_tensor(getattr(generated, "sequences", generated))


@pytest.mark.parametrize("name", DIVERSE)
def test_a_tiny_checkpoint_loads_sees_and_answers(name: str, tmp_path: Path) -> None:
    """Common others are evaluated by the long test of the matrix of architectures."""
    check(name, tmp_path / name)


@pytest.mark.slow
def test_every_architecture_is_built_or_says_why_not(tmp_path: Path) -> None:
    reasons = {}
    for name in names():
        try:
            build(name, tmp_path / name)
        except CannotBuild as reason:
            reasons[name] = str(reason)
    assert set(reasons) == {"evolla", "mistral4", "pi0", "shieldgemma2", "udop"}
    assert all(reason and "\n" not in reason for reason in reasons.values())


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotBuild, match="no image-text-to-text architecture 'lava'"):
        build("lava", tmp_path)


def test_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, again, other = (build("llava", tmp_path / str(index), seed) for index, seed in enumerate((0, 0, 1)))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, again, other)]
    assert weights[0] == weights[1] != weights[2]
