"""Config of the Flamingo architecture."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import AutoConfig, CLIPVisionConfig, PretrainedConfig

__all__ = ["FlamingoConfig"]


class FlamingoConfig(PretrainedConfig):
    """Config of `FlamingoForConditionalGeneration`; the defaults are those of the released models.

    Args:
        text_config: config of the language model, or its dictionary.
        vision_config: config of the CLIP vision tower, or its dictionary.
        cross_attn_every_n_layers: a gated cross-attention precedes every n-th decoder layer.
        image_token_id: id of the token that stands for an image.
        resampler_layers: layers of the Perceiver resampler.
        resampler_latents: latents per image, I.
        num_frames: rows of the frame embedding, of which an image gets the first; 0 for models without one.
        cross_attention_heads: heads in the resampler and in the cross-attention.
        cross_attention_head_dim: width of each of these heads.
        kwargs: arguments of `PretrainedConfig`.
    """

    model_type = "lcl_flamingo"
    sub_configs: ClassVar[dict[str, Any]] = {"text_config": AutoConfig, "vision_config": CLIPVisionConfig}

    def __init__(
        self,
        text_config: PretrainedConfig | dict[str, Any] | None = None,
        vision_config: PretrainedConfig | dict[str, Any] | None = None,
        cross_attn_every_n_layers: int = 4,
        image_token_id: int = 32001,
        resampler_layers: int = 6,
        resampler_latents: int = 64,
        num_frames: int = 0,
        cross_attention_heads: int = 8,
        cross_attention_head_dim: int = 64,
        **kwargs: Any,
    ) -> None:
        text: Any = text_config
        if text is None or isinstance(text, dict):
            text = AutoConfig.for_model(**{"model_type": "llama", **(text or {})})
        vision: Any = vision_config
        if vision is None or isinstance(vision, dict):
            vision = CLIPVisionConfig(**(vision or {}))
        self.text_config, self.vision_config = text, vision
        self.cross_attn_every_n_layers = cross_attn_every_n_layers
        self.image_token_id = image_token_id
        self.resampler_layers, self.resampler_latents = resampler_layers, resampler_latents
        self.num_frames = num_frames
        self.cross_attention_heads, self.cross_attention_head_dim = cross_attention_heads, cross_attention_head_dim
        kwargs.setdefault("tie_word_embeddings", text.tie_word_embeddings)
        super().__init__(**kwargs)


AutoConfig.register(FlamingoConfig.model_type, FlamingoConfig)
