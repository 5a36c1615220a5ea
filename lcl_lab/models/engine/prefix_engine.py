"""Shares prefixes in models with a plain KV cache: each prefix is stored once and read by all rows that follow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad

from lcl_lab.models.engine.attention import SharedAttention, use_shared_attention
from lcl_lab.models.engine.decoding import DecodingState
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.kv_cache import PrefixCache, RowGroups, SegmentKV
from lcl_lab.models.engine.prefix_tree import Node
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, PromptEncoder
from lcl_lab.models.engine.tree_engine import Result, Segment, TreeEngine

__all__ = ["PrefixEngine"]


@dataclass(frozen=True, eq=False)
class _Prefix:
    """Cached KV segments along a node's path, their total length, and the next position id."""

    path: list[SegmentKV]
    tokens: int
    position: int


class PrefixEngine(TreeEngine[_Prefix]):
    """Evaluates prompts with attention that reads shared prefixes; rows with different prefixes share a batch.

    Args:
        layers: number of layers of the model's KV cache.
        attention: how attention reads the prefixes.

    The other arguments are those of `TreeEngine`. The model's attention implementation is replaced.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        encoder: PromptEncoder,
        batch_size: int,
        new_tokens: int | None,
        disk_cache: FeatureDiskCache | None = None,
        *,
        layers: int,
        attention: SharedAttention,
    ) -> None:
        super().__init__(model, processor, encoder, batch_size, new_tokens, disk_cache)
        use_shared_attention(model, attention)
        self._layers = layers

    def _root(self) -> _Prefix:
        return _Prefix([], 0, 0)

    def _step(
        self,
        nodes: Sequence[Node],
        segments: Mapping[Node, Segment],
        prefixes: Mapping[Node, _Prefix],
        prompts: Sequence[EncodedPrompt],
    ) -> tuple[list[_Prefix | None], list[Result]]:
        """Compute a batch of nodes: the prefix that each one's children continue, and the results of prompts there."""
        parents = [prefixes[node.parent] for node in nodes if node.parent]
        batch = [segments[node] for node in nodes]
        candidates = [len(c) for node in nodes for number in node.ends for c in prompts[number].candidates]
        capacity = self._longest_limit(nodes, prompts) + max(candidates, default=0)
        state = self._prefill(batch, parents, capacity)
        ends: list[_Prefix | None] = []
        for row, (node, segment, parent) in enumerate(zip(nodes, batch, parents, strict=True)):
            length = len(segment.ids)
            if node.children:
                path = [*parent.path, state.cache.last(row, length)]
                ends.append(_Prefix(path, parent.tokens + length, int(state.positions[row])))
            else:
                ends.append(None)
        return ends, self._decode(state, nodes, prompts) if nodes[0].ends else []

    def _prefill_whole(self, segments: Sequence[Segment], capacity: int) -> DecodingState:
        root = self._root()
        return self._prefill(segments, [root] * len(segments), capacity)

    def _prefill(self, segments: Sequence[Segment], parents: Sequence[_Prefix], capacity: int) -> DecodingState:
        """Compute one segment per row; rows with the same parent are next to each other."""
        longest = max(len(segment.ids) for segment in segments)
        device = self._model.device
        ids = torch.zeros(len(segments), longest, dtype=torch.long)
        mask = torch.zeros(len(segments), longest, dtype=torch.long)
        positions, following = [], []
        for row, (segment, parent) in enumerate(zip(segments, parents, strict=True)):
            length = len(segment.ids)
            ids[row, longest - length :] = torch.tensor(segment.ids)
            mask[row, longest - length :] = 1
            of_row, then = self._positions(segment, parent.position)
            positions.append(pad(of_row, (longest - length, 0)))
            following.append(then)
        sizes = Counter(parents)
        cache = PrefixCache(
            self._layers,
            [prefix.path for prefix in sizes],
            [prefix.tokens for prefix in sizes],
            RowGroups(list(sizes.values()), device),
            longest + capacity,
        )
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=torch.stack(positions, dim=-2).to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
            prefix_cache=cache,
            **self.images.model_input([segment.images for segment in segments]),
        )
        self.tokens_computed += ids.numel()
        logits = output.logits[:, -1].float()
        return DecodingState(self._model, cache, mask.to(device), torch.tensor(following, device=device), logits)
