"""Flamingo (Alayrac et al., arXiv 2204.14198) as released by OpenFlamingo (arXiv 2308.01390) and Otter (2305.03726).

B rows of a batch, T tokens, N images of each row, I latents per image, D the width of the vision features and V the
size of the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, CLIPVisionModel, GenerationMixin, PreTrainedModel
from transformers.utils import ModelOutput

from lcl_lab.models.flamingo.flamingo_config import FlamingoConfig
from lcl_lab.models.flamingo.gated_attention import ImageContext, count_images
from lcl_lab.models.flamingo.language_model import build_language_model
from lcl_lab.models.flamingo.resampler import PerceiverResampler

__all__ = ["FlamingoForConditionalGeneration", "FlamingoOutput"]


@dataclass
class FlamingoOutput(ModelOutput):
    """Output of `FlamingoForConditionalGeneration`.

    Attributes:
        logits: (B, T, V).
        past_key_values: the cache of the language model.
        image_latents: (B, N, I, D), the encoded images, which further forward passes accept.
        image_index: (B, T), the number of the image that each token attends to, from 1; 0 for none.
    """

    logits: Tensor | None = None
    past_key_values: Any = None
    image_latents: Tensor | None = None
    image_index: Tensor | None = None


class FlamingoForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """A language model whose text attends to images by gated cross-attention.

    Images are encoded by a CLIP and a Perceiver resampler. The language model sees one token per image, and each token
    attends to the last image in front of it.

    Args:
        config: the config of the model.
    """

    config_class = FlamingoConfig
    main_input_name = "input_ids"
    input_modalities = ("image", "text")
    _supports_sdpa = True
    _no_split_modules: ClassVar[list[str]] = [
        "CLIPEncoderLayer",
        "FlamingoLayer",
        "GPTNeoXLayer",
        "LlamaDecoderLayer",
        "MptBlock",
        "OPTDecoderLayer",
        "PerceiverResampler",
    ]

    def __init__(self, config: FlamingoConfig) -> None:
        super().__init__(config)
        self._images = ImageContext()
        self.vision_tower = CLIPVisionModel._from_config(config.vision_config)
        self.resampler = PerceiverResampler(
            config.vision_config.hidden_size,
            config.resampler_layers,
            config.resampler_latents,
            config.cross_attention_heads,
            config.cross_attention_head_dim,
            config.num_frames,
        )
        self.language_model = build_language_model(config, self._images)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """The embedding of the language model."""
        return self.language_model.get_input_embeddings()

    def get_output_embeddings(self) -> Any:
        """The head of the language model."""
        return self.language_model.get_output_embeddings()

    def encode_images(self, pixel_values: Tensor) -> Tensor:
        """Images (B, N, 3, height, width) → latents (B, N, I, D)."""
        features = self.vision_tower(pixel_values.flatten(0, 1)).last_hidden_state[:, 1:]  # without the class token
        return self.resampler(features).unflatten(0, pixel_values.shape[:2])

    def forward(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        image_latents: Tensor | None = None,
        image_index: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> FlamingoOutput:
        """Predict the next token at each position.

        Args:
            input_ids: (B, T), with one token per image.
            pixel_values: (B, N, 3, height, width), the images of each row, followed by anything in rows with fewer.
            attention_mask: 1 for tokens and 0 for padding, including the tokens in the cache.
            position_ids: (B, T).
            past_key_values: the cache of the language model.
            image_latents: (B, N, I, D), encoded images in place of `pixel_values`.
            image_index: (B, T), the number of the image that each token attends to, from 1, or 0 for none; required
                with a filled cache, and otherwise counted from `input_ids`.
            use_cache: whether to return a cache.
            logits_to_keep: number of last positions to return logits of; 0 for all.
            kwargs: further arguments of the language model.

        Returns:
            The logits, the cache, and the images as further forward passes accept them.

        Raises:
            ValueError: there are fewer images than image tokens, or the cache is filled and `image_index` missing.
        """
        if image_latents is None and pixel_values is not None and pixel_values.shape[1]:
            image_latents = self.encode_images(pixel_values)
        if image_index is None:
            if past_key_values is not None and past_key_values.get_seq_length():
                raise ValueError("with a filled cache, image_index is required")
            image_index = count_images(input_ids, self.config.image_token_id)
            image_count = 0 if image_latents is None else image_latents.shape[1]
            if int(image_index.max()) > image_count:
                raise ValueError(f"{int(image_index.max())} image tokens, but {image_count} images")
        with self._images.use(image_latents, image_index):
            output = self.language_model(
                input_ids=input_ids,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                use_cache=use_cache,
                logits_to_keep=logits_to_keep,
                **{**kwargs, "return_dict": True},
            )
        return FlamingoOutput(output.logits, output.past_key_values, image_latents, image_index)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        image_latents: Tensor | None = None,
        image_index: Tensor | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The arguments of the next forward pass: images are encoded in the first one only."""
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(input_ids, **kwargs)
        if image_index is not None:
            inputs["image_index"] = image_index[:, -inputs["input_ids"].shape[1] :]
        images = {"pixel_values": pixel_values} if image_latents is None else {"image_latents": image_latents}
        return {**inputs, **images}

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], **kwargs: Any
    ) -> dict[str, Any]:
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(outputs, model_kwargs, **kwargs)
        # All generated tokens attend to the last image of the prompt, even after an image token among them.
        index = model_kwargs.get("image_index", outputs.image_index)
        new = index[:, -1:].expand(-1, kwargs.get("num_new_tokens", 1))
        return {**updated, "image_latents": outputs.image_latents, "image_index": torch.cat([index, new], dim=-1)}

    def _init_weights(self, module: Any) -> None:
        """Nothing to do: torch initialises what is new here, and the parts of `transformers` initialise themselves."""


AutoModelForImageTextToText.register(FlamingoConfig, FlamingoForConditionalGeneration)
