"""Attention for a batch whose rows share prefixes: each prefix is stored once and read by all rows of its group.

B rows in R groups of at most G rows, each group after a prefix of up to L tokens; T new tokens and U tokens per row
after the prefix; A query heads, C key heads, E the width of a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from lcl_lab.models.engine.kv_cache import PrefixCache

__all__ = ["SharedAttention", "use_shared_attention"]

SharedAttention = Literal["merged", "joined"]
"""How a row attends to its prefix and to its own tokens (the suffix).

merged: flash attention to each, merged by the log-sum-exp of the scores; on CPUs
joined: one softmax over the scores of both
"""

_NAMES: dict[SharedAttention, str] = {"merged": "lcl_shared_merged", "joined": "lcl_shared_joined"}
_MAX_SCORES = 1 << 26  # attention scores held in memory at a time; more are computed in chunks of queries


def use_shared_attention(model: Any, attention: SharedAttention) -> None:
    """Let a model's decoder read prefixes from a `PrefixCache` that is passed as `prefix_cache`.

    A mask that is passed as `branch_mask`, (B, 1, T, U), replaces the causal one.

    Args:
        model: an image-text-to-text model of `transformers`.
        attention: how it reads them.
    """
    model.set_attn_implementation({"text_config": _NAMES[attention]})


def _attention(
    attend: Callable[[Tensor, tuple[Tensor, Tensor], tuple[Tensor, Tensor], Tensor | None, float, PrefixCache], Tensor],
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix_cache: PrefixCache | None = None,
    branch_mask: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention (B, T, A, E) for query (B, A, T, E), key and value (B, C, U, E) and masks (B, 1, T, U)."""
    mask = attention_mask if branch_mask is None else branch_mask
    prefix = prefix_cache.prefix(int(module.layer_idx)) if prefix_cache else None  # type: ignore[arg-type]
    if prefix_cache is None or prefix is None:
        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **kwargs)
    scale = scaling or 1 / math.sqrt(query.shape[-1])
    return attend(query, (key, value), prefix, mask, scale, prefix_cache).transpose(1, 2), None


def _attend_merged(
    query: Tensor,
    suffix: tuple[Tensor, Tensor],
    prefix: tuple[Tensor, Tensor],
    mask: Tensor | None,
    scale: float,
    cache: PrefixCache,
) -> Tensor:
    """Attention over the prefixes and that over the rows' own tokens, by their shares of the softmax: (B, A, T, E)."""
    of_suffix, suffix_weight = _flash(query, *suffix, mask, scale, causal=mask is None and query.shape[2] > 1)
    grouped = _by_key_head(query, suffix[0].shape[1], cache)
    prefix_mask = None if cache.prefix_mask is None else cache.prefix_mask[:, None, None]
    of_prefix, prefix_weight = _flash(grouped, *prefix, prefix_mask, scale)
    if prefix_mask is not None:  # for a group without prefix
        prefix_weight = prefix_weight.masked_fill(~prefix_mask.any(-1), float("-inf"))
    share = torch.sigmoid(_by_row(prefix_weight[..., None], query.shape, cache) - suffix_weight[..., None])
    return torch.lerp(of_suffix, _by_row(of_prefix, query.shape, cache), share.to(of_suffix.dtype))


def _flash(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, causal: bool = False
) -> tuple[Tensor, Tensor]:
    """Attention, shaped as the query, and the log-sum-exp of its scores."""
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(~mask, float("-inf"))
    # No public function of torch returns the log-sum-exp on a CPU.
    attention, weight = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, is_causal=causal, attn_mask=mask, scale=scale
    )
    return attention, weight


def _attend_joined(
    query: Tensor,
    suffix: tuple[Tensor, Tensor],
    prefix: tuple[Tensor, Tensor],
    mask: Tensor | None,
    scale: float,
    cache: PrefixCache,
) -> Tensor:
    """The same with one softmax, in chunks of queries."""
    if mask is None and query.shape[2] > 1:
        mask = torch.ones(query.shape[2], suffix[0].shape[2], dtype=torch.bool, device=query.device).tril()
    scores = cache.groups.count * cache.groups.size * query.shape[1] * (prefix[0].shape[2] + suffix[0].shape[2])
    step = max(1, _MAX_SCORES // scores)
    chunks = [
        _attend(
            query[:, :, start : start + step] * scale,
            suffix,
            prefix,
            None if mask is None else mask[..., start : start + step, :],
            cache,
        )
        for start in range(0, query.shape[2], step)
    ]
    return torch.cat(chunks, dim=2)


def _attend(
    query: Tensor,
    suffix: tuple[Tensor, Tensor],
    prefix: tuple[Tensor, Tensor],
    mask: Tensor | None,
    cache: PrefixCache,
) -> Tensor:
    """Attention over the prefixes and the rows' own tokens (the suffix) with one softmax: (B, A, T, E)."""
    rows, heads, tokens, width = query.shape
    key_heads = suffix[0].shape[1]
    before = _by_key_head(query, key_heads, cache) @ prefix[0].transpose(-1, -2)
    if cache.prefix_mask is not None:
        before = before.masked_fill(~cache.prefix_mask[:, None, None], float("-inf"))
    after = query.reshape(rows, key_heads, -1, width) @ suffix[0].transpose(-1, -2)
    if mask is not None:
        after = after.unflatten(2, (-1, tokens))
        mask = mask[:, None] if mask.ndim == 4 else mask
        after = after.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else after + mask
    after = _by_key_head(after.reshape(rows, heads, tokens, -1), key_heads, cache)
    weights = torch.cat([before, after], dim=-1).softmax(-1, dtype=torch.float32).to(query.dtype)
    before, after = weights.split([before.shape[-1], after.shape[-1]], dim=-1)
    of_suffix = _by_row(after, query.shape, cache).reshape(rows, key_heads, heads // key_heads * tokens, -1) @ suffix[1]
    return _by_row(before @ prefix[1], query.shape, cache) + of_suffix.view(rows, heads, tokens, -1)


def _by_key_head(rows: Tensor, key_heads: int, cache: PrefixCache) -> Tensor:
    """What each row has for its query heads, (B, A, T, …), by group and key head: (R, C, G * A / C * T, …)."""
    return cache.groups.split(rows.unflatten(1, (key_heads, -1))).transpose(1, 2).flatten(2, 4)


def _by_row(groups: Tensor, shape: tuple[int, ...], cache: PrefixCache) -> Tensor:
    """The inverse of `_by_key_head`, given the shape (B, A, T, …) of the rows."""
    of_rows = cache.groups.join(groups.unflatten(2, (cache.groups.size, -1)).transpose(1, 2))
    return of_rows.reshape(*shape[:3], groups.shape[-1])


for _name, _attend_shared in ((_NAMES["merged"], _attend_merged), (_NAMES["joined"], _attend_joined)):
    AttentionInterface.register(_name, partial(_attention, _attend_shared))
    AttentionMaskInterface.register(_name, sdpa_mask)
