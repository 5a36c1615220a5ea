"""Image processing of the releases: images are padded to squares with white, then processed as CLIP does.

C channels of an image, H and W its height and width, S the longer of the two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from transformers import AutoImageProcessor
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from lcl_lab.models.shikra.shikra_architecture import ShikraConfig

__all__ = ["ShikraImageProcessor"]

_WHITE = 255


class ShikraImageProcessor(LlavaImageProcessorPil):
    """Pads images to squares with white, then resizes them with PIL; a `LlavaImageProcessorPil` pads with the mean."""

    do_pad = True

    def pad_to_square(
        self, image: NDArray[np.uint8], background_color: int | tuple[int, int, int] = _WHITE
    ) -> NDArray[np.uint8]:
        """Pad an image to a square, with the image in the middle.

        Args:
            image: (C, H, W).
            background_color: not used; the padding is white, whatever the mean of the normalization.

        Returns:
            (C, S, S)
        """
        padded: NDArray[np.uint8] = super().pad_to_square(image, (_WHITE,) * len(image))
        return padded


# Both backends are this class: torchvision resizes with other rounding errors than PIL.
AutoImageProcessor.register(
    ShikraConfig, image_processor_classes={"pil": ShikraImageProcessor, "torchvision": ShikraImageProcessor}
)
