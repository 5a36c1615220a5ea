"""The frozen vision encoder of a LLaVA. Training does not change it, so each image is encoded only once.

B images, I image features that the projector reads per image, D_vision their width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPVisionModel

from lcl_lab.models.mini.architecture import MiniForConditionalGeneration
from lcl_lab.models.mini.clip_tower import pixels
from lcl_lab.models.mini.shared_tower import pool_quadrants
from lcl_lab.progress import track
from lcl_lab.training.tensor_cache import digest

__all__ = ["FrozenVision", "project"]

_BATCH = 256


class FrozenVision:
    """The vision encoder of a model, detached from it; `restore` puts it back.

    Args:
        model: a LLaVA, whose image features pass through one encoder and one projector; it is left without its encoder.
        processor: the model's processor.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._module: nn.Module = model.model.vision_tower.requires_grad_(False).eval()
        # The model's own selection of layers and tokens, up to the projector.
        pool: nn.Module = _Pool() if isinstance(model, MiniForConditionalGeneration) else nn.Identity()
        self._encoder = copy.copy(model.model)
        self._encoder._modules = {"vision_tower": self._module, "multi_modal_projector": pool}
        self._processor = processor.image_processor
        is_mini = isinstance(model, MiniForConditionalGeneration) and isinstance(self._module, CLIPVisionModel)
        self._pixels: Callable[[NDArray[np.uint8]], Tensor] = pixels if is_mini else self._processed
        model.model.vision_tower = None

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the encoder's weights."""
        return digest(*(tensor.cpu() for tensor in self._module.state_dict().values()))

    def restore(self, model: Any) -> None:
        """Put the encoder back into a model."""
        model.model.vision_tower = self._module

    def to(self, device: torch.device) -> None:
        """Move the encoder to a device."""
        self._module.to(device)

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Encode images.

        Returns:
            (B, I, D_vision), the inputs of the projector.
        """
        return self._forward(self._processor(list(images), return_tensors="pt")["pixel_values"])

    def encode_all(self, images: NDArray[np.uint8]) -> Tensor:
        """Encode many images of the embedded world, with a progress bar; same result as `encode`.

        Args:
            images: (B, H, W, 3).

        Returns:
            (B, I, D_vision) in half precision.
        """
        starts = track(range(0, len(images), _BATCH), "encoding images")
        return torch.cat([self._forward(self._pixels(images[k : k + _BATCH])).cpu().half() for k in starts])

    def _processed(self, images: NDArray[np.uint8]) -> Tensor:
        pixel_values: Tensor = self._processor(list(images), return_tensors="pt")["pixel_values"]
        return pixel_values

    @torch.inference_mode()
    def _forward(self, pixel_values: Tensor) -> Tensor:
        weight = next(self._module.parameters())
        output = self._encoder.get_image_features(pixel_values.to(weight.device, weight.dtype), return_dict=True)
        return torch.stack(list(output.pooler_output)).clone()


class _Pool(nn.Module):
    def forward(self, patches: Tensor) -> Tensor:
        return pool_quadrants(patches)


def project(model: Any, features: Tensor) -> Tensor:
    """Apply a model's projector, the trainable part of its image path.

    Args:
        model: a LLaVA, with or without its vision encoder.
        features: (B, I, D_vision), from `FrozenVision`.

    Returns:
        (B, I, D), inputs of the decoder.
    """
    if isinstance(model, MiniForConditionalGeneration):
        return model.project(features)
    return model.model.multi_modal_projector(features)
