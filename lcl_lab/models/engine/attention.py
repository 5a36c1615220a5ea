"""Attention of a batch whose rows share prefixes: a prefix is kept once, and read by all its rows together.

B rows in R groups of equal size, each group after a prefix of its own of up to L tokens; T tokens are
read now, U of the rows' own in all; A heads of queries, C of keys, of width E.
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
_SCORES = 1 << 26  # held at a time; more are computed in turns


def use_shared_attention(model: Any) -> dict[str, str]:
    """Let the language model of a model read prefixes from a `PrefixCache`, where it is given one as `slab`.

    What it used before is returned, in the form of `set_attn_implementation`.
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
    slab: PrefixCache | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """`query` is (B, A, T, E), `key` and `value` (B, C, U, E), the mask (B, 1, T, U); gives (B, T, A, E)."""
    prefix = slab.prefix(int(module.layer_idx)) if slab else None  # type: ignore[arg-type]
    if slab is None or prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    if attention_mask is None and query.shape[2] > 1:
        attention_mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    scale = scaling or 1 / math.sqrt(query.shape[-1])
    rows, heads, tokens, _ = query.shape
    groups = len(prefix[0])
    each, shared = rows // groups, heads // key.shape[1]
    step = max(1, _SCORES // (groups * each * heads * (prefix[0].shape[2] + key.shape[2])))
    parts = [
        _attend(
            query[:, :, start : start + step] * scale,
            (key, value),
            prefix,
            None if attention_mask is None else attention_mask[..., start : start + step, :],
            slab.seen,
            (groups, each, shared),
        )
        for start in range(0, tokens, step)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _attend(
    query: Tensor,
    own: tuple[Tensor, Tensor],
    prefix: tuple[Tensor, Tensor],
    mask: Tensor | None,
    seen: Tensor | None,
    sizes: tuple[int, int, int],
) -> Tensor:
    """Attention over the prefixes and the rows' own tokens as one softmax: (B, A, T, E)."""
    groups, each, shared = sizes
    rows, heads, tokens, width = query.shape
    kept = heads // shared
    # Scores are (R, C, rows of a group × query heads of a key head × T, L or U).
    together = query.view(groups, each, kept, shared, tokens, width).transpose(1, 2).flatten(2, 4)
    before = together @ prefix[0].transpose(-1, -2)
    if seen is not None:
        before = before.masked_fill(~seen[:, None, None], float("-inf"))
    after = query.reshape(rows, kept, shared * tokens, width) @ own[0].transpose(-1, -2)
    if mask is not None:
        after = after.view(rows, kept, shared, tokens, -1)
        mask = mask[:, None] if mask.ndim == 4 else mask
        after = after.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else after + mask
    after = after.reshape(groups, each, kept, shared * tokens, -1).transpose(1, 2).flatten(2, 3)
    weights = torch.cat([before, after], dim=-1).softmax(-1, dtype=torch.float32).to(query.dtype)
    before, after = weights.split([before.shape[-1], after.shape[-1]], dim=-1)
    after = after.view(groups, kept, each, shared * tokens, -1).transpose(1, 2).flatten(0, 1)
    read = (before @ prefix[1]).view(groups, kept, each, shared * tokens, width).transpose(1, 2).flatten(0, 1)
    return (read + after @ own[1]).reshape(rows, heads, tokens, width)


AttentionInterface.register(_NAME, _attention)
AttentionMaskInterface.register(_NAME, sdpa_mask)
