"""The mini CLIP: its image tower is the frozen vision encoder of the mini models.

It is assembled from parts of `open_clip`. Its text tower encodes descriptions of appearances, one token per word. It
mines the hard negatives of training, and the nearest-prototype classifier uses its image features.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPVisionConfig, CLIPVisionModel

from lcl_lab.concepts import IMAGE_SIZE, description_words
from lcl_lab.errors import UserError
from lcl_lab.models.mini.vision_tower import vision_tower_from_open_clip

__all__ = [
    "WIDTH",
    "build_clip",
    "image_features",
    "load_clip",
    "pixels",
    "save_clip",
    "tokenize_descriptions",
    "transformers_vision_tower",
]

WIDTH = 128
"""D, the width of the embedding space that images and texts share."""
_LAYERS, _HEAD, _PATCH, _CONTEXT = 4, 32, 8, 20
_FILE = "clip.safetensors"
_BATCH = 256


def build_clip() -> CLIP:
    """An untrained CLIP; its weights are drawn from torch's global generator."""
    vision = CLIPVisionCfg(
        layers=_LAYERS, width=WIDTH, head_width=_HEAD, patch_size=_PATCH, image_size=IMAGE_SIZE, pool_type="avg"
    )
    vocabulary = len(description_words()) + 2
    text = CLIPTextCfg(context_length=_CONTEXT, vocab_size=vocabulary, width=WIDTH, heads=4, layers=2)
    return CLIP(WIDTH, vision, text)


def save_clip(clip: CLIP, folder: Path) -> None:
    """Write the weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in clip.state_dict().items()}, folder / _FILE)


def load_clip(folder: Path) -> CLIP:
    """Load a CLIP that `save_clip` wrote, in single precision.

    Raises:
        UserError: the file is missing or damaged, or has the weights of another model.
    """
    clip = build_clip()
    try:
        clip.load_state_dict({key: value.float() for key, value in load_file(folder / _FILE).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot load {folder / _FILE}: {reason}", option="model", value=folder) from error
    return clip.eval()


def transformers_vision_tower(clip: CLIP) -> CLIPVisionModel:
    """The image tower as a model of `transformers`, with the same weights."""
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=WIDTH // _HEAD,
        image_size=IMAGE_SIZE,
        patch_size=_PATCH,
        hidden_act="gelu",
        layer_norm_eps=1e-5,
    )
    return vision_tower_from_open_clip(clip.state_dict(), config)


def pixels(images: NDArray[np.uint8]) -> Tensor:
    """Images normalised as the processor does it: uint8 (B, H, W, 3) → float (B, 3, H, W)."""
    return (torch.from_numpy(images).permute(0, 3, 1, 2).float() - 127.5) / 63.75


@torch.inference_mode()
def image_features(clip: CLIP, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Features (N, D) of images, of unit length.

    Args:
        clip: a mini CLIP.
        images: uint8 (N, H, W, 3).
    """
    rows = [
        clip.encode_image(pixels(images[k : k + _BATCH]), normalize=True).numpy() for k in range(0, len(images), _BATCH)
    ]
    return np.concatenate(rows)


def tokenize_descriptions(texts: Sequence[str]) -> Tensor:
    """Token ids (N, 20) of N descriptions.

    Known words have ids from 1; unknown words are skipped. The highest id marks the end, and zeros pad the row.
    """
    words = {word: k for k, word in enumerate(description_words(), start=1)}
    known = [[words[word] for word in re.findall(r"[a-z]+", text.lower()) if word in words] for text in texts]
    rows = [[*row[: _CONTEXT - 1], len(words) + 1] for row in known]
    return torch.tensor([row + [0] * (_CONTEXT - len(row)) for row in rows])
