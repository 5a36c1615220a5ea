"""Language models of Flamingo: decoders of `transformers`, with what MPT-1B needs in addition."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from lcl_lab.models.flamingo.flamingo_config import FlamingoConfig
from lcl_lab.models.flamingo.gated_attention import FlamingoLayer, GatedCrossAttention, ImageContext

__all__ = ["EMBEDDINGS", "LAYERS", "build_language_model"]

LAYERS = {
    "llama": "model.layers",
    "mpt": "transformer.blocks",
    "gpt_neox": "gpt_neox.layers",
    "opt": "model.decoder.layers",
}
"""Where each supported model type has its decoder layers."""
EMBEDDINGS = {
    "llama": "model.embed_tokens.weight",
    "mpt": "transformer.wte.weight",
    "gpt_neox": "gpt_neox.embed_in.weight",
    "opt": "model.decoder.embed_tokens.weight",
}
"""The name of its embedding."""


def build_language_model(config: FlamingoConfig, images: ImageContext) -> Any:
    """An untrained causal language model with a gated cross-attention in front of every n-th decoder layer.

    Args:
        config: the config of the whole model.
        images: the images of the current forward pass.
    """
    text: Any = config.text_config
    model = AutoModelForCausalLM.from_config(text)
    layers = attrgetter(LAYERS[text.model_type])(model)
    if text.model_type == "mpt" and text.attn_config.qk_ln:
        for layer in layers:
            layer.attn.Wqkv = NormalizedProjection(layer.attn.Wqkv)
    every = config.cross_attn_every_n_layers
    for number in range(every - 1, len(layers), every):
        attention = GatedCrossAttention(
            text.hidden_size,
            config.vision_config.hidden_size,
            config.cross_attention_heads,
            config.cross_attention_head_dim,
        )
        layers[number] = FlamingoLayer(layers[number], attention, images)
    return model


class NormalizedProjection(nn.Module):
    """Projects to queries, keys and values, with layer norms over all heads of the queries and of the keys.

    MPT-1B has these norms, but the MPT of `transformers` does not.

    Args:
        projection: the projection, without a bias.
    """

    def __init__(self, projection: nn.Linear) -> None:
        super().__init__()
        width = projection.in_features
        self.projection = projection
        self.norm_query, self.norm_key = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Hidden states (B, T, H) → queries, keys and values (B, T, 3 * H)."""
        query, key, value = self.projection(hidden_states).chunk(3, dim=-1)
        return torch.cat([self.norm_query(query), self.norm_key(key), value], dim=-1)
