"""The image tower of the mini CLIP as a model of `transformers`, and the file that it is loaded from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModel

from lcl_lab.concepts import IMAGE_SIZE
from lcl_lab.errors import UserError
from lcl_lab.models.mini.vision_tower import vision_tower_from_open_clip

__all__ = ["CLIP_FILE", "HEAD", "LAYERS", "PATCH", "WIDTH", "clip_vision_tower", "load_clip_weights", "pixels"]

WIDTH = 128
"""D, the width of the embedding space that images and texts share, and of the tower."""
LAYERS, HEAD, PATCH = 4, 32, 8
"""Layers of the tower, the width of its attention heads, and the side of a patch in pixels."""
CLIP_FILE = "clip.safetensors"
"""The name of the file with the weights in half precision."""


def clip_vision_tower(state: Mapping[str, Tensor]) -> CLIPVisionModel:
    """The image tower with the weights of a mini CLIP.

    Args:
        state: the state dict of the CLIP.
    """
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // HEAD,
        image_size=IMAGE_SIZE,
        patch_size=PATCH,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
    )
    return vision_tower_from_open_clip(state, config)


def load_clip_weights(folder: Path, load: Callable[[Mapping[str, Tensor]], object]) -> None:
    """Read the weights that `save_clip` wrote, in single precision.

    Args:
        folder: the folder of the file.
        load: takes them as a state dict, and raises RuntimeError or KeyError if they are those of another model.

    Raises:
        UserError: the file is missing or damaged, or has the weights of another model.
    """
    file = folder / CLIP_FILE
    try:
        load({key: value.float() for key, value in load_file(file).items()})
    except (OSError, RuntimeError, KeyError, SafetensorError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise UserError(f"cannot load {file}: {reason}", option="model", value=folder) from error


def pixels(images: NDArray[np.uint8]) -> Tensor:
    """Images normalised as the processor does it: uint8 (B, H, W, 3) → float (B, 3, H, W)."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127.5) / 63.75
