"""Gated cross-attention from text to images, in front of a decoder layer (Flamingo, section 2.2).

B rows of a batch, T tokens, N images of each row, I latents per image, D the width of the vision features and H that of
the language model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lcl_lab.models.flamingo.resampler import feed_forward, multi_head_attention

__all__ = ["FlamingoLayer", "GatedCrossAttention", "ImageContext", "count_images"]


def count_images(ids: Tensor, image_token_id: int) -> Tensor:
    """How many images each token follows, itself included: (B, T) → (B, T)."""
    return (ids == image_token_id).long().cumsum(-1)


class ImageContext:
    """The images that the text of the current forward pass attends to.

    The decoder layers of `transformers` do not pass on such arguments, so all layers of a model share one object.

    Attributes:
        latents: (B, N, I, D); None if there are no images.
        index: (B, T), the number of the image that each token attends to, from 1; 0 for none.
    """

    latents: Tensor | None = None
    index: Tensor | None = None

    @contextmanager
    def use(self, latents: Tensor | None, index: Tensor) -> Iterator[None]:
        """Set the images of one forward pass."""
        if latents is not None and torch.equal(index, index[:, :1].expand_as(index)):
            # While an answer is decoded, every token attends to the last image, so only that one is projected.
            rows = torch.arange(len(latents), device=latents.device)
            latents, index = latents[rows, index[:, 0].clamp(min=1) - 1, None], index.clamp(max=1)
        self.latents, self.index = latents, index
        try:
            yield
        finally:
            self.latents = self.index = None


class GatedCrossAttention(nn.Module):
    """Attention to the latents of one image and a feed-forward network, each scaled by the tanh of a gate.

    A token attends only to the last image in front of it; before the first image, the attention adds nothing.

    Args:
        width: H.
        vision_width: D.
        heads: number of heads.
        head_dim: width of each head.
    """

    def __init__(self, width: int, vision_width: int, heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, heads * head_dim, bias=False)
        self.key_value = nn.Linear(vision_width, 2 * heads * head_dim, bias=False)
        self.output = nn.Linear(heads * head_dim, width, bias=False)
        self.feed_forward = feed_forward(width)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.feed_forward_gate = nn.Parameter(torch.zeros(1))

    def forward(self, text: Tensor, latents: Tensor | None, index: Tensor) -> Tensor:
        """Add what the images contribute.

        Args:
            text: (B, T, H).
            latents: (B, N, I, D); None if there are no images.
            index: (B, T), the number of the image that each token attends to, from 1; 0 for none.

        Returns:
            (B, T, H)
        """
        if latents is not None:
            text = text + self._attend(text, latents, index) * self.attention_gate.tanh()
        return text + self.feed_forward(text) * self.feed_forward_gate.tanh()

    def _attend(self, text: Tensor, latents: Tensor, index: Tensor) -> Tensor:
        numbers = torch.arange(1, latents.shape[1] + 1, device=index.device).repeat_interleave(latents.shape[2])
        # A query without keys would be divided by zero; one without an image gets the first one, and is then dropped.
        mask = index.clamp(min=1)[:, None, :, None] == numbers
        query, key_value = self.query(self.norm(text)), self.key_value(latents.flatten(1, 2))
        attended = multi_head_attention(query, key_value, self.heads, mask)
        return self.output(attended * (index > 0)[..., None])


class FlamingoLayer(nn.Module):
    """A decoder layer behind a gated cross-attention.

    Args:
        decoder_layer: a layer of a language model of `transformers`.
        cross_attention: the gated cross-attention.
        images: the images of the current forward pass.
    """

    def __init__(self, decoder_layer: nn.Module, cross_attention: GatedCrossAttention, images: ImageContext) -> None:
        super().__init__()
        self.decoder_layer, self.cross_attention = decoder_layer, cross_attention
        self._images = images

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Hidden states (B, T, H) and further arguments of the decoder layer → the output of the decoder layer."""
        latents, index = self._images.latents, self._images.index
        assert index is not None, "called outside of the model's forward"
        device = hidden_states.device
        latents = None if latents is None else latents.to(device)
        return self.decoder_layer(self.cross_attention(hidden_states, latents, index.to(device)), *args, **kwargs)
