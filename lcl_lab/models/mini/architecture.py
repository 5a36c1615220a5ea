"""The embedded model: a LLaVA of about 1.5 M parameters that learns to follow a link on a CPU.

It is `LlavaForConditionalGeneration` with one change: the P = 64 patch features of an image are
averaged over the four quadrants before the projector, so an image is I = 4 tokens. The decoder is a
stock Llama. What lets it leave the plateau of in-context learning (Chan et al., arXiv 2205.05055) is
its initialisation alone, see `_give_look_back_heads`.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    CLIPVisionModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)
from transformers.models.llama.modeling_llama import LlamaAttention

__all__ = ["IMAGE_TOKENS", "MiniConfig", "MiniForConditionalGeneration", "build_mini", "pool_quadrants"]

_SIDE = 2
IMAGE_TOKENS = _SIDE**2  # I


class MiniConfig(LlavaConfig):
    """A `LlavaConfig` under its own name, so that `AutoModelForImageTextToText` finds the class below."""

    model_type = "lcl_mini"


def pool_quadrants(patches: torch.Tensor) -> torch.Tensor:
    """Mean patch feature of each quadrant: (B, P, D) → (B, I, D), P a square number."""
    batch, count, width = patches.shape
    side = int(count**0.5)
    grid = patches.transpose(1, 2).reshape(batch, width, side, side)
    return nn.functional.adaptive_avg_pool2d(grid, _SIDE).flatten(2).transpose(1, 2)


class PooledProjector(nn.Module):
    """Vision features to decoder inputs: each token sees its quadrant, and its own view of the whole image.

    The views matter: a name's position collects one part of its width from each token, and a part of a
    quadrant says little, since things turn and move.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.quadrant = nn.Linear(width, out)
        self.whole = nn.Linear(width, _SIDE**2 * out)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        return self.project(pool_quadrants(patches))

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """The trainable part alone, for frozen features that were pooled before: (B, I, D_vision) → (B, I, D)."""
        whole = self.whole(self.norm(pooled.mean(1))).unflatten(-1, (_SIDE**2, -1))
        return self.quadrant(self.norm(pooled)) + whole


class MiniForConditionalGeneration(LlavaForConditionalGeneration):
    """A LLaVA whose projector pools; its vision features can be computed apart, once."""

    config_class = MiniConfig

    def __init__(self, config: MiniConfig) -> None:
        super().__init__(config)
        self.model.multi_modal_projector = PooledProjector(
            config.vision_config.hidden_size, config.text_config.hidden_size
        )
        self.post_init()

    def project(self, pooled: torch.Tensor) -> torch.Tensor:
        """Pooled vision features (B, I, D_vision) → decoder inputs (B, I, D)."""
        return self.model.multi_modal_projector.project(pooled)


def build_mini(
    tower: CLIPVisionModel, vocabulary: int, image_token: int, end_token: int
) -> MiniForConditionalGeneration:
    """An untrained model around a trained and frozen vision tower; draws its weights from torch's generator."""
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        attention_bias=True,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end_token,
        pad_token_id=0,
    )
    config = MiniConfig(
        vision_config=tower.config,
        text_config=text,
        image_token_index=image_token,
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    model = MiniForConditionalGeneration(config)
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.vision_tower.requires_grad_(False)
    model.generation_config.eos_token_id = end_token
    _give_look_back_heads(model)
    return model


def _give_look_back_heads(model: MiniForConditionalGeneration) -> None:
    """Initialise the decoder so that following a link is a short way to learn.

    A name can only be matched to a later query if its position carries what its image looked like.
    A plain transformer must first invent the heads that carry it, with nothing to reward them until
    the heads that match exist too. So, before training: in the first layer every head averages the
    last few positions (biases of query and key, turned by the rotary embedding, peak at that distance)
    and copies its share of the width, so that an image's tokens reach its name and, the same way, the
    end of the query; in the layers above, query and key projections are equal, so that alike
    positions attend to each other. All of it is free to change in training.
    """
    layers = model.model.language_model.layers
    with torch.no_grad():
        _look_back(layers[0].self_attn, model.config.text_config.rope_parameters["rope_theta"])
        for layer in layers[1:]:
            attention = layer.self_attn
            nn.init.normal_(attention.k_proj.weight, std=_MATCH_STD)
            attention.q_proj.weight.copy_(attention.k_proj.weight)
        # Names are as loud as the images that are copied onto them, or they drown.
        nn.init.normal_(model.get_input_embeddings().weight, std=_WORD_STD)


_MATCH_STD = 0.06
_WORD_STD = 0.5
_COPY = 1.0  # size of what a look-back head copies
_DISTANCE = 2.5  # positions back
_SHARPNESS = 2.0  # size of the biases; at 2 the positions next to the peak get 0.6 of its weight


def _look_back(attention: LlamaAttention, theta: float) -> None:
    size = attention.head_dim
    heads = attention.q_proj.out_features // size
    frequencies = theta ** (-torch.arange(size // 2) / (size // 2))
    angles = frequencies * _DISTANCE
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        attention.k_proj.bias[own] = _SHARPNESS * torch.cat([torch.ones(size // 2), torch.zeros(size // 2)])
        attention.q_proj.bias[own] = _SHARPNESS * torch.cat([torch.cos(angles), -torch.sin(angles)])
        copied = torch.zeros(size, attention.v_proj.in_features)
        copied[:, own] = torch.eye(size)
        attention.v_proj.weight[own] = copied
        attention.o_proj.weight[:, own] = _COPY * copied.T


AutoConfig.register(MiniConfig.model_type, MiniConfig)
AutoModelForImageTextToText.register(MiniConfig, MiniForConditionalGeneration)
