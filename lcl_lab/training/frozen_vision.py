"""The frozen vision encoder, taken out of a LLaVA: training never changes it, so it sees each image once.

B images, I features of an image that the projector reads, D_vision their width.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from transformers import LlavaForConditionalGeneration

from lcl_lab.errors import UserError
from lcl_lab.models.mini.architecture import MiniForConditionalGeneration, pool_quadrants
from lcl_lab.models.mini.clip import pixels
from lcl_lab.progress import track
from lcl_lab.training.tensor_cache import digest

__all__ = ["FrozenVision", "project"]

_BATCH = 256


class FrozenVision:
    """The vision encoder of a model, which is without it from now on; `give_back` returns it.

    Raises:
        UserError: not a LLaVA, whose image features come from one tower through one projector.
    """

    def __init__(self, name: str, model: Any, processor: Any) -> None:
        if not isinstance(model, LlavaForConditionalGeneration):
            raise UserError(f"--start {name}: a {type(model).__name__} cannot be trained; a LLaVA can")
        self._module: nn.Module = model.model.vision_tower.requires_grad_(False).eval()
        # The model's own selection of layers and tokens, up to the projector.
        pool: nn.Module = _Pool() if isinstance(model, MiniForConditionalGeneration) else nn.Identity()
        self._eye = copy.copy(model.model)
        self._eye._modules = {"vision_tower": self._module, "multi_modal_projector": pool}
        self._processor = processor.image_processor
        model.model.vision_tower = None

    @property
    def fingerprint(self) -> str:
        return digest(*(tensor.cpu() for tensor in self._module.state_dict().values()))

    def give_back(self, model: Any) -> None:
        model.model.vision_tower = self._module

    def to(self, device: torch.device) -> None:
        self._module.to(device)

    def look(self, images: Sequence[Image.Image]) -> Tensor:
        """What the projector reads of images: (B, I, D_vision)."""
        return self._see(self._processor(list(images), return_tensors="pt")["pixel_values"])

    def look_all(self, images: NDArray[np.uint8]) -> Tensor:
        """What an embedded model's projector reads of many images (B, H, W, 3), in half precision, with a bar.

        The same as `look`, without the detour by way of PIL.
        """
        starts = track(range(0, len(images), _BATCH), "looking")
        return torch.cat([self._see(pixels(images[k : k + _BATCH])).cpu().half() for k in starts])

    @torch.inference_mode()
    def _see(self, pixel_values: Tensor) -> Tensor:
        weight = next(self._module.parameters())
        output = self._eye.get_image_features(pixel_values.to(weight.device, weight.dtype), return_dict=True)
        return torch.stack(list(output.pooler_output)).clone()


class _Pool(nn.Module):
    def forward(self, patches: Tensor) -> Tensor:
        return pool_quadrants(patches)


def project(model: Any, features: Tensor) -> Tensor:
    """The trainable part of a model's eye: frozen features (B, I, D_vision) to decoder inputs (B, I, D)."""
    if isinstance(model, MiniForConditionalGeneration):
        return model.project(features)
    return model.model.multi_modal_projector(features)
