"""The Perceiver resampler: any number of patch features become a fixed number of latents (Flamingo, section 2.1).

B images, P patches, I latents per image, D the width of the vision features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PerceiverResampler", "feed_forward", "multi_head_attention"]

_EXPANSION = 4  # of the hidden layer of a feed-forward network


def feed_forward(width: int) -> nn.Sequential:
    """A feed-forward network with a layer norm in front and without biases."""
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, _EXPANSION * width, bias=False),
        nn.GELU(),
        nn.Linear(_EXPANSION * width, width, bias=False),
    )


def multi_head_attention(query: Tensor, key_value: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention.

    Args:
        query: (B, T, H), where H is the width of all heads together.
        key_value: (B, S, 2 * H), the keys followed by the values.
        heads: number of heads.
        mask: (B, 1, T, S), true where a query attends to a key.

    Returns:
        (B, T, H)
    """
    key, value = key_value.chunk(2, dim=-1)
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attended.transpose(1, 2).flatten(2)


class ResamplerLayer(nn.Module):
    """Latents attend to the patch features and to themselves, followed by a feed-forward network.

    Args:
        width: D.
        heads: number of heads.
        head_dim: width of each head.
    """

    def __init__(self, width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_patches, self.norm_latents = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_dim, bias=False)
        self.key_value = nn.Linear(width, 2 * heads * head_dim, bias=False)
        self.output = nn.Linear(heads * head_dim, width, bias=False)
        self.feed_forward = feed_forward(width)

    def forward(self, patches: Tensor, latents: Tensor) -> Tensor:
        """Patch features (B, P, D) and latents (B, I, D) → latents (B, I, D)."""
        normed = self.norm_latents(latents)
        key_value = self.key_value(torch.cat([self.norm_patches(patches), normed], dim=1))
        latents = latents + self.output(multi_head_attention(self.query(normed), key_value, self.heads))
        return latents + self.feed_forward(latents)


class PerceiverResampler(nn.Module):
    """Maps the patch features of an image to I latents.

    Args:
        width: D.
        layers: number of layers.
        latents: I.
        heads: number of heads.
        head_dim: width of each head.
        frames: rows of the frame embedding, of which an image gets the first; 0 to have none.
    """

    def __init__(self, width: int, layers: int, latents: int, heads: int, head_dim: int, frames: int = 0) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, width))
        self.frame_embedding = nn.Parameter(torch.randn(frames, width)) if frames else None
        self.layers = nn.ModuleList(ResamplerLayer(width, heads, head_dim) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, patches: Tensor) -> Tensor:
        """Patch features (B, P, D) → latents (B, I, D)."""
        if self.frame_embedding is not None:
            patches = patches + self.frame_embedding[0]
        latents = self.latents.expand(len(patches), -1, -1)
        for layer in self.layers:
            latents = layer(patches, latents)
        return self.norm(latents)
