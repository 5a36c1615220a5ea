"""Attention for a batch whose rows share prefixes: each prefix is stored once and read by all rows of its group.

B rows in R groups of equal size, each group after a prefix of up to L tokens; T new tokens and U tokens per row after
the prefix; A query heads, C key heads, E the width of a head.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lcl_lab.models.engine.kv_cache import PrefixCache

__all__ = ["use_shared_attention"]

_NAME = "lcl_shared"
_MAX_SCORES = 1 << 26  # attention scores held in memory at a time; more are computed in chunks of queries


def use_shared_attention(model: Any) -> dict[str, str]:
    """Let a model's decoder read prefixes from a `PrefixCache` that is passed as `prefix_cache`.

    Args:
        model: an image-text-to-text model of `transformers`.

    Returns:
        The previous setting, for `model.set_attn_implementation`.
    """
    before = {"text_config": str(model.config.get_text_config()._attn_implementation)}
    model.set_attn_implementation({"text_config": _NAME})
    return before


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix_cache: PrefixCache | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention (B, T, A, E) for query (B, A, T, E), key and value (B, C, U, E) and mask (B, 1, T, U)."""
    prefix = prefix_cache.prefix(int(module.layer_idx)) if prefix_cache else None  # type: ignore[arg-type]
    if prefix_cache is None or prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    if attention_mask is None and query.shape[2] > 1:
        attention_mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    scale = scaling or 1 / math.sqrt(query.shape[-1])
    rows, heads, tokens, _ = query.shape
    groups = len(prefix[0])
    group_size, heads_per_key = rows // groups, heads // key.shape[1]
    step = max(1, _MAX_SCORES // (groups * group_size * heads * (prefix[0].shape[2] + key.shape[2])))
    chunks = [
        _attend(
            query[:, :, start : start + step] * scale,
            (key, value),
            prefix,
            None if attention_mask is None else attention_mask[..., start : start + step, :],
            prefix_cache.prefix_mask,
            (groups, group_size, heads_per_key),
        )
        for start in range(0, tokens, step)
    ]
    return torch.cat(chunks, dim=2).transpose(1, 2), None


def _attend(
    query: Tensor,
    suffix: tuple[Tensor, Tensor],
    prefix: tuple[Tensor, Tensor],
    mask: Tensor | None,
    prefix_mask: Tensor | None,
    sizes: tuple[int, int, int],
) -> Tensor:
    """Attention over the prefixes and the rows' own tokens (the suffix) with one softmax: (B, A, T, E)."""
    groups, group_size, heads_per_key = sizes
    rows, heads, tokens, width = query.shape
    key_heads = heads // heads_per_key
    # Scores are (R, C, group size × query heads per key head × T, L or U).
    grouped = query.view(groups, group_size, key_heads, heads_per_key, tokens, width).transpose(1, 2).flatten(2, 4)
    before = grouped @ prefix[0].transpose(-1, -2)
    if prefix_mask is not None:
        before = before.masked_fill(~prefix_mask[:, None, None], float("-inf"))
    after = query.reshape(rows, key_heads, heads_per_key * tokens, width) @ suffix[0].transpose(-1, -2)
    if mask is not None:
        after = after.view(rows, key_heads, heads_per_key, tokens, -1)
        mask = mask[:, None] if mask.ndim == 4 else mask
        after = after.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else after + mask
    after = after.reshape(groups, group_size, key_heads, heads_per_key * tokens, -1).transpose(1, 2).flatten(2, 3)
    weights = torch.cat([before, after], dim=-1).softmax(-1, dtype=torch.float32).to(query.dtype)
    before, after = weights.split([before.shape[-1], after.shape[-1]], dim=-1)
    after = after.view(groups, key_heads, group_size, heads_per_key * tokens, -1).transpose(1, 2).flatten(0, 1)
    from_prefix = (
        (before @ prefix[1])
        .view(groups, key_heads, group_size, heads_per_key * tokens, width)
        .transpose(1, 2)
        .flatten(0, 1)
    )
    return (from_prefix + after @ suffix[1]).reshape(rows, heads, tokens, width)


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
