"""Weights that several tests load."""

from __future__ import annotations

import json
from pathlib import Path

import open_clip
import pytest
import torch


@pytest.fixture(scope="module")
def tiny_open_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a tiny model that open_clip knows as `tiny-registry`."""
    folder = tmp_path_factory.mktemp("open_clip")
    vision = {"image_size": 32, "layers": 1, "width": 32, "patch_size": 16, "head_width": 16}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
    config = folder / "tiny-registry.json"
    config.write_text(json.dumps({"embed_dim": 16, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(config)
    torch.save(open_clip.create_model("tiny-registry").state_dict(), folder / "weights.pt")
    return folder / "weights.pt"
