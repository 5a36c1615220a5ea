"""The config of the photo models' vision tower; importing it does not import `timm`."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig

__all__ = ["PhotoVisionConfig"]


class PhotoVisionConfig(PretrainedConfig):
    """Config of a `PhotoVisionModel`.

    Args:
        architecture: the name of the network in `timm`.
        channels: channels of its last feature map.
        hidden_size: D, the width of the whitened features.
        image_size: pixels a side of an image.
        patch_size: pixels a side that a position of the last feature map stands for.
    """

    model_type = "lcl_photo_vision"

    def __init__(
        self,
        architecture: str = "tf_efficientnet_lite0",
        channels: int = 1280,
        hidden_size: int = 256,
        image_size: int = 224,
        patch_size: int = 32,
        **kwargs: Any,
    ) -> None:
        self.architecture, self.channels, self.hidden_size = architecture, channels, hidden_size
        self.image_size, self.patch_size = image_size, patch_size
        super().__init__(**kwargs)


AutoConfig.register(PhotoVisionConfig.model_type, PhotoVisionConfig)
