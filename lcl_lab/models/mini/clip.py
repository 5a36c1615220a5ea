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
from safetensors.torch import save_file
from torch import Tensor

from lcl_lab.concepts import IMAGE_SIZE, description_words
from lcl_lab.models.mini.clip_tower import CLIP_FILE, HEAD, LAYERS, PATCH, WIDTH, load_clip_weights, pixels

__all__ = ["build_clip", "image_features", "load_clip", "save_clip", "tokenize_descriptions"]

_CONTEXT = 20
_BATCH = 256


def build_clip() -> CLIP:
    """An untrained CLIP; its weights are drawn from torch's global generator."""
    vision = CLIPVisionCfg(
        layers=LAYERS, width=WIDTH, head_width=HEAD, patch_size=PATCH, image_size=IMAGE_SIZE, pool_type="avg"
    )
    vocabulary = len(description_words()) + 2
    text = CLIPTextCfg(context_length=_CONTEXT, vocab_size=vocabulary, width=WIDTH, heads=4, layers=2)
    return CLIP(WIDTH, vision, text)


def save_clip(clip: CLIP, folder: Path) -> None:
    """Write the weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.half().contiguous() for key, value in clip.state_dict().items()}, folder / CLIP_FILE)


def load_clip(folder: Path) -> CLIP:
    """Load a CLIP that `save_clip` wrote, in single precision.

    Raises:
        UserError: the file is missing or damaged, or has the weights of another model.
    """
    clip = build_clip()
    load_clip_weights(folder, clip.load_state_dict)
    return clip.eval()


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
