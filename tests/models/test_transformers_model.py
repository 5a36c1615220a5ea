from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef, load_dataset
from lcl_lab.episodes import draw_episode, falsify
from lcl_lab.models import Answer, find_checkpoint, load_model
from lcl_lab.prompts import Prompt, chat

WORLD = load_dataset("world-100")


@pytest.fixture(params=["untrained", "stock"])
def checkpoint(request: pytest.FixtureRequest) -> Path:
    """A mini model, and a standard LLaVA."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


def prompts(count: int = 6) -> list[Prompt]:
    """Prompts of different lengths, which need padding in a batch."""
    return [chat(falsify(draw_episode(WORLD, 0, query, 2 * (query % 3)), 0.5)) for query in range(count)]


def answers(folder: Path, batch_size: int) -> list[Answer]:
    return list(load_model(find_checkpoint(str(folder)), batch_size).answer(prompts(), WORLD.image))


def reference_inputs(processor: object, prompt: Prompt) -> dict[str, torch.Tensor]:
    """The inputs that `transformers` itself makes of a prompt: one text, one list of images."""
    messages = [
        {
            "role": turn.role,
            "content": [
                {"type": "image"} if isinstance(part, ImageRef) else {"type": "text", "text": part}
                for part in turn.parts
            ],
        }
        for turn in prompt.turns
    ]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    images = [WORLD.image(ref) for ref in prompt.images]
    return processor(text=text, images=images, return_tensors="pt", add_special_tokens=False)


def test_log_likelihoods_equal_those_of_one_forward_pass(checkpoint: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(checkpoint).eval()
    processor = AutoProcessor.from_pretrained(checkpoint)
    for prompt, answer in zip(prompts(), answers(checkpoint, 4), strict=True):
        inputs = reference_inputs(processor, prompt)
        for candidate, found in zip(prompt.candidates, answer.logliks, strict=True):
            name = processor.tokenizer(candidate + "<|end|>", add_special_tokens=False, return_tensors="pt")[
                "input_ids"
            ]
            ids = torch.cat([inputs["input_ids"], name], dim=1)
            with torch.inference_mode():
                logits = model(input_ids=ids, pixel_values=inputs["pixel_values"]).logits.log_softmax(-1)
            expected = logits[0, -name.shape[1] - 1 : -1].gather(-1, name[0][:, None])
            assert found.tokens == name.shape[1]
            assert found.total == pytest.approx(float(expected.sum()), abs=1e-4)
            assert found.token_logliks == pytest.approx(expected[:, 0].tolist(), abs=1e-4)
            assert "".join(found.token_texts) == f"{candidate}<|end|>"


def test_greedy_text_equals_that_of_generate(checkpoint: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(checkpoint).eval()
    processor = AutoProcessor.from_pretrained(checkpoint)
    for prompt, answer in zip(prompts(), answers(checkpoint, 4), strict=True):
        inputs = reference_inputs(processor, prompt)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            out = model.generate(**inputs, do_sample=False, max_new_tokens=16)
        text = processor.tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        assert answer.text == text.strip()


def test_batch_size_changes_log_likelihoods_by_rounding_errors_only(checkpoint: Path) -> None:
    one, others = answers(checkpoint, 1), [answers(checkpoint, size) for size in (4, 64)]
    for other in others:
        for a, b in zip(one, other, strict=True):
            assert a.text == b.text
            assert [s.tokens for s in a.logliks] == [s.tokens for s in b.logliks]
            assert [s.total for s in a.logliks] == pytest.approx([s.total for s in b.logliks], abs=1e-4)


def test_each_image_is_loaded_once(checkpoint: Path) -> None:
    loads: Counter[ImageRef] = Counter()

    def image(ref: ImageRef) -> Image:
        loads[ref] += 1
        return WORLD.image(ref)

    model = load_model(find_checkpoint(str(checkpoint)), 2)
    for _ in range(2):
        list(model.answer(prompts(), image))
    assert set(loads) == {ref for prompt in prompts() for ref in prompt.images}
    assert set(loads.values()) == {1}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_a_gpu_gives_the_same_answers(checkpoint: Path) -> None:
    model = load_model(find_checkpoint(str(checkpoint)), 4)
    assert model.device.startswith("cuda")
    found = list(model.answer(prompts(), WORLD.image))
    model.network.to("cpu")
    for a, b in zip(found, model.answer(prompts(), WORLD.image), strict=True):
        assert [s.total for s in a.logliks] == pytest.approx([s.total for s in b.logliks], abs=1e-3)
