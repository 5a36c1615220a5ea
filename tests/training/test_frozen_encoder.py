"""Frozen encoders compute every image once; losses and gradients stay what they are without that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import load_dataset
from lcl_lab.episodes import draw_episode
from lcl_lab.prompts import Prompt, chat
from lcl_lab.training.frozen_encoder import FrozenEncoder, keep_outputs
from lcl_lab.training.trainable_parts import default_parts, train_only
from lcl_lab.training.whole_prompts import PromptLoss, WholePromptBuilder
from tests.training.families import FAMILIES, folder_of

DEV = load_dataset("world-dev")
RNG = np.random.default_rng(0)
QUICK = ("gemma3", "qwen3_vl")
PROJECTOR_INSIDE = ("qwen2_5_vl", "qwen3_vl")
TILES = {"internvl": 13, "smolvlm": 17, "llava_next": 5}  # at most


def prompts() -> list[Prompt]:
    """Four prompts that have images in common."""
    return [chat(draw_episode(DEV, 0, query, shots)) for query, shots in ((0, 2), (0, 4), (0, 2), (1, 0))]


def losses_and_gradients(
    model: Any, processor: Any, trained: tuple[str, ...], keep: bool
) -> tuple[list[float], dict[str, torch.Tensor], list[FrozenEncoder]]:
    """Two steps over the prompts."""
    train_only(model, trained)
    encoders = keep_outputs(model) if keep else []
    loss, builder = PromptLoss(model).train(), WholePromptBuilder(model, processor, DEV.image)
    found = []
    for _ in range(2):
        for _, batch in builder.batches([(prompt, RNG) for prompt in prompts()]):
            of_prompts = loss(**batch.inputs)
            of_prompts.sum().backward()
            found += of_prompts.tolist()
    gradients = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    for encoder in encoders:
        encoder.release()
    return found, gradients, encoders


@pytest.mark.parametrize("trained", [("default",), ("language",)], ids=lambda parts: parts[0])
@pytest.mark.parametrize(
    "family", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]
)
def test_losses_and_gradients_are_the_same_and_each_image_is_encoded_once(
    family: str, trained: tuple[str, ...]
) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder_of(family), dtype=torch.float32)
    processor = AutoProcessor.from_pretrained(folder_of(family))
    parts = default_parts(model) if trained == ("default",) else trained
    expected, plain, _ = losses_and_gradients(model, processor, parts, keep=False)
    found, gradients, encoders = losses_and_gradients(model, processor, parts, keep=True)
    assert found == pytest.approx(expected, abs=1e-4)
    assert gradients.keys() == plain.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, plain[name], atol=1e-4, rtol=1e-3)
    shown = len({ref for prompt in prompts() for ref in prompt.images})
    in_every_step = family == "mllama" or (family in PROJECTOR_INSIDE and trained == ("default",))
    encoded = sum(encoder.images_encoded for encoder in encoders)
    assert encoded == 0 if in_every_step else 0 < encoded <= TILES.get(family, 1) * shown
