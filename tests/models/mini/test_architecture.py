from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, LlavaForConditionalGeneration

from lcl_lab.models.mini.architecture import MiniForConditionalGeneration
from lcl_lab.models.mini.shared_tower import pool_quadrants


def load(folder: Path) -> MiniForConditionalGeneration:
    return AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()


def test_auto_classes_load_it_as_a_llava(untrained: Path) -> None:
    model = load(untrained)
    assert isinstance(model, MiniForConditionalGeneration)
    assert isinstance(model, LlavaForConditionalGeneration)


def test_quadrants_are_means_of_their_patches() -> None:
    patches = torch.arange(16.0).view(1, 16, 1)  # a 4 × 4 grid
    assert pool_quadrants(patches)[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]


def test_before_training_the_first_layer_averages_the_last_few_positions(untrained: Path) -> None:
    model = load(untrained)
    ids = torch.randint(10, 100, (2, 60), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        attention = model(input_ids=ids, output_attentions=True).attentions[0]  # (B, heads, T, T)
    weights = [float(attention.diagonal(-back, dim1=2, dim2=3)[..., 10:].mean()) for back in range(8)]
    assert sum(weights[:6]) > 0.8
    assert max(weights) == max(weights[2:4])


def test_no_gradient_reaches_the_vision_tower(untrained: Path) -> None:
    model = load(untrained)
    model.model.vision_tower.requires_grad_(False)
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert not any("vision_tower" in name for name in trained)
