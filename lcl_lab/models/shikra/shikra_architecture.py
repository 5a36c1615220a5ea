"""Architecture of the releases: a LLaVA that inserts all images of a prompt, or only the last one.

B prompts with N images in total, T tokens per prompt, I tokens per image, D the width of the language model.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText, LlavaConfig, LlavaForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.llava.modeling_llava import LlavaModel

from lcl_lab.models.interface import Images

__all__ = ["ShikraConfig", "ShikraForConditionalGeneration"]


class ShikraConfig(LlavaConfig):
    """A `LlavaConfig` with its own `model_type`, by which `AutoModelForImageTextToText` finds the model class.

    Attributes:
        images: "all" inserts the features of all images of a prompt, "query-only" those of its last image, as the
            published modelling code does.
    """

    model_type = "lcl_shikra"

    images: Images = "all"


class _ShikraModel(LlavaModel):
    """The model without its language modelling head."""

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        mm_encoder_outputs: dict[str, BaseModelOutputWithPooling] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Run the model on token ids (B, T) and images (N, 3, H, W).

        Features that were computed before are inserted as they are; see `QueryOnlyEncoder`.
        """
        if self.config.images == "query-only" and pixel_values is not None:
            mm_encoder_outputs = {"image": self._query_features(input_ids, pixel_values)}
            pixel_values = None
        return super().forward(
            input_ids=input_ids, pixel_values=pixel_values, mm_encoder_outputs=mm_encoder_outputs, **kwargs
        )

    def _query_features(self, input_ids: Tensor | None, pixel_values: Tensor) -> BaseModelOutputWithPooling:
        """N features (I, D): of the last image of each prompt; for the others, the embeddings of their tokens."""
        is_patch = input_ids == self.config.image_token_id
        tokens = int(is_patch.sum()) // len(pixel_values)
        counts = is_patch.sum(1) // tokens
        last = (counts.cumsum(0) - 1)[counts > 0]
        output = self.get_image_features(pixel_values[last], return_dict=True)
        embedding = self.get_input_embeddings().weight[self.config.image_token_id]
        features = [embedding.expand(tokens, -1)] * len(pixel_values)
        for number, of_query in zip(last.tolist(), output.pooler_output, strict=True):
            features[number] = of_query
        output.pooler_output = features
        return output


class ShikraForConditionalGeneration(LlavaForConditionalGeneration):
    """A LLaVA that inserts all images of a prompt, or only the last one, as its config says."""

    config_class = ShikraConfig

    def __init__(self, config: ShikraConfig) -> None:
        super().__init__(config)
        self.model = _ShikraModel(config)
        self.post_init()

    def _supports_mm_encoder_outputs(self) -> bool:
        """Whether `generate` may encode all images ahead of the forward pass, which then inserts all of them."""
        return self.config.images == "all"


AutoConfig.register(ShikraConfig.model_type, ShikraConfig)
AutoModelForImageTextToText.register(ShikraConfig, ShikraForConditionalGeneration)
