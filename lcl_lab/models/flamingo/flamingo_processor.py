"""Processor of the Flamingo architecture: one token per image, and pixel values grouped by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from transformers import AutoImageProcessor, AutoProcessor, BatchFeature, CLIPImageProcessorPil, ProcessorMixin

from lcl_lab.models.flamingo.flamingo_config import FlamingoConfig

__all__ = ["FlamingoImageProcessor", "FlamingoProcessor"]


class FlamingoImageProcessor(CLIPImageProcessorPil):
    """Processes images as CLIP does: resizes the shortest edge, and crops the centre.

    Args:
        rounds_crop: whether an odd margin is halved by rounding half to even, as open_clip does, or rounding down, as
            `transformers` does.
        kwargs: arguments of `CLIPImageProcessorPil`.
    """

    def __init__(self, rounds_crop: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rounds_crop = rounds_crop

    def center_crop(self, image: NDArray[Any], size: Any, **kwargs: Any) -> NDArray[Any]:
        """Crop the centre of an image.

        Args:
            image: (3, height, width).
            size: height and width of the crop.
            kwargs: not used.
        """
        margins = [side - crop for side, crop in zip(image.shape[1:], (size.height, size.width), strict=True)]
        if min(margins) < 0:
            return super().center_crop(image, size, **kwargs)
        top, left = (round(margin / 2) if self.rounds_crop else margin // 2 for margin in margins)
        return image[:, top : top + size.height, left : left + size.width]


class FlamingoProcessor(ProcessorMixin):
    """Tokenizes prompts with one token per image, and stacks the images of each prompt.

    Args:
        image_processor: processes images to a fixed size.
        tokenizer: has the image token.
        chat_template: writes conversations.
        image_token: the token that stands for an image.
    """

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        image_token: str = "<image>",
    ) -> None:
        self.image_token = image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    def __call__(
        self, images: Sequence[Sequence[Image]] | None = None, text: Sequence[str] = (), **kwargs: Any
    ) -> BatchFeature:
        """The tensors of a batch of prompts.

        Args:
            images: the images of each prompt, in the order of their tokens.
            text: the prompts.
            kwargs: arguments of the tokenizer and the image processor.

        Returns:
            The tokenizer's tensors and `pixel_values` (B, N, 3, height, width), where N is the largest number of images
            in a prompt; prompts with fewer are filled up with zeros. Without images, there are no `pixel_values`.

        Raises:
            ValueError: the images of a prompt are not as many as its image tokens.
        """
        token_counts = [prompt.count(self.image_token) for prompt in text]
        image_counts = [len(of_prompt) for of_prompt in images or [[]] * len(text)]
        if token_counts != image_counts:
            raise ValueError(f"the prompts have {token_counts} image tokens, but {image_counts} images")
        return super().__call__(images=images if any(image_counts) else None, text=list(text), **kwargs)

    def _process_images(
        self, images: Sequence[Sequence[Image]], **kwargs: Any
    ) -> tuple[Mapping[str, torch.Tensor], list[str]]:
        flat = [image for of_prompt in images for image in of_prompt]
        pixels = self.image_processor(flat, **{**kwargs, "return_tensors": "np"})["pixel_values"]
        stacked = np.zeros((len(images), max(map(len, images)), *pixels.shape[1:]), pixels.dtype)
        rest = iter(pixels)
        for row, of_prompt in zip(stacked, images, strict=True):
            for number in range(len(of_prompt)):
                row[number] = next(rest)
        return {"pixel_values": torch.from_numpy(stacked)}, [self.image_token] * len(flat)


_BACKENDS = ("torchvision", "pil")  # the same class for either, since torchvision resizes differently
AutoImageProcessor.register(FlamingoConfig, image_processor_classes=dict.fromkeys(_BACKENDS, FlamingoImageProcessor))
AutoProcessor.register(FlamingoConfig, FlamingoProcessor)
