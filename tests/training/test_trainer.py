from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from lcl_lab.concepts import ImageRef
from lcl_lab.prompts import Prompt, Turn
from lcl_lab.strategies.log import TrainingLog
from lcl_lab.strategies.trainer import Phase, train


def prompts(rng: np.random.Generator) -> list[Prompt]:
    """Whatever is in the image, the answer to the second question is `red`."""
    first, second = (Turn("user", ("What colour is it?", ImageRef("x", "", int(n)))) for n in rng.integers(4, size=2))
    return [Prompt((first, Turn("assistant", ("blue",)), second), ("red",))] * 8


def test_training_teaches_the_final_answer_and_leaves_the_vision_tower_alone(untrained: Path, tmp_path: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(untrained)
    model.model.vision_tower.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    features = torch.randn(4, 4, 128)
    processor = AutoProcessor.from_pretrained(untrained)
    phases = [Phase(150, prompts)]
    train(
        model,
        processor,
        phases,
        lambda refs, _: features[[ref.number for ref in refs]],
        2e-3,
        0,
        TrainingLog(tmp_path, "test"),
    )
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert losses[-1] < 0.2 * losses[0]
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert any("language_model" in name for name in moved)
    assert any("multi_modal_projector" in name for name in moved)
    assert not any("vision_tower" in name for name in moved)


def test_the_same_seed_gives_the_same_weights(untrained: Path, tmp_path: Path) -> None:
    def trained(seed: int) -> torch.Tensor:
        model = AutoModelForImageTextToText.from_pretrained(untrained)
        model.model.vision_tower.requires_grad_(False)
        features = torch.ones(4, 4, 128)
        processor = AutoProcessor.from_pretrained(untrained)
        log = TrainingLog(tmp_path, "test")
        train(
            model,
            processor,
            [Phase(3, prompts)],
            lambda refs, _: features[[ref.number for ref in refs]],
            2e-3,
            seed,
            log,
        )
        return model.lm_head.weight.detach()

    assert torch.equal(trained(0), trained(0))
