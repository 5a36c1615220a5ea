"""Measures where the token before an answer attends, in every head of a decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lcl_lab.concepts import ImageRef
from lcl_lab.models.interface import Model
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.models.interventions.head_modules import heads_of, require_network
from lcl_lab.models.interventions.parts import PromptParts, require_engine
from lcl_lab.prompts import Prompt

__all__ = ["AttentionProbe"]

_NAME = "lcl_probe"
_weights: ContextVar[dict[int, Tensor] | None] = ContextVar("weights", default=None)


class AttentionProbe:
    """The attention from the token before the answer to the labels of a support, by head.

    Args:
        model: a model of `transformers`.

    Raises:
        UserError: the model has no heads, or its architecture does not share prefixes.
    """

    def __init__(self, model: Model) -> None:
        self._model, self._engine = require_network(model), require_engine(model)
        self._heads = heads_of(model)

    def label_attention(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> dict[Head, tuple[float, ...]]:
        """The attention to each of the K labels, summed over the label's tokens.

        Args:
            prompt: the prompt of an episode.
            image: returns an image of the prompt in RGB.
        """
        parts = PromptParts.of(self._model, prompt, image)
        encoded = replace(self._model.encoder(prompt), candidates=())
        weights: dict[int, Tensor] = {}
        with _probed(self._model.network):
            self._engine.score_copies(encoded, image, 1, _recorded(weights))
        return {
            head: tuple(float(weights[head.layer][head.number, list(label)].sum()) for label in parts.labels)
            for head in self._heads
        }

    def induction_scores(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> dict[Head, float]:
        """The mean attention to labels of images of the query's concept, minus that to the other labels.

        Args:
            prompt: the prompt of an episode with a support.
            image: returns an image of the prompt in RGB.
        """
        *support, query = prompt.images
        own = [ref.concept == query.concept for ref in support]
        scores = {}
        for head, attention in self.label_attention(prompt, image).items():
            values = torch.tensor(attention)
            mask = torch.tensor(own)
            scores[head] = float(values[mask].mean() - values[~mask].mean())
        return scores


@contextmanager
def _probed(network: Any) -> Iterator[None]:
    """Let the decoder use an attention that can record its weights."""
    before = {"text_config": str(network.config.get_text_config()._attn_implementation)}
    network.set_attn_implementation({"text_config": _NAME})
    try:
        yield
    finally:
        network.set_attn_implementation(before)


@contextmanager
def _recorded(weights: dict[int, Tensor]) -> Iterator[None]:
    """Record the weights of the last token's attention, (heads, tokens), by layer."""
    token = _weights.set(weights)
    try:
        yield
    finally:
        _weights.reset(token)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention (B, T, A, E) for query (B, A, T, E), key and value (B, C, U, E) and mask (B, 1, T, U)."""
    weights = _weights.get()
    if weights is not None:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        heads = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
        scores = (query[:, :, -1:] @ heads.transpose(-1, -2)).float() * scale
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        if attention_mask is not None:
            mask = attention_mask[:, :, -1:, : key.shape[2]]
            scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask
        weights[int(module.layer_idx)] = scores.softmax(-1)[0, :, 0]  # type: ignore[arg-type]
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
