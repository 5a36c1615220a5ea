"""Shares prefixes by copying a model's own cache where prompts branch: for caches with sliding windows or states.

B rows of a batch, T tokens of a segment, L tokens of its prefix.
"""

from __future__ import annotations

import copy
import inspect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from lcl_lab.models.engine.decoding import DecodingState
from lcl_lab.models.engine.prefix_tree import Node
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt
from lcl_lab.models.engine.tree_engine import Result, Segment, TreeEngine

__all__ = ["ForkEngine", "ForkedState"]


@dataclass(frozen=True, eq=False)
class _Fork:
    """The model's cache after a prefix, in a batch of one; all segments up to its end; and the next position id."""

    cache: Any
    path: Segment
    position: int


class ForkEngine(TreeEngine[_Fork]):
    """Evaluates prompts with copies of the model's own cache. The rows of a batch follow the same prefix.

    The arguments are those of `TreeEngine`.
    """

    @cached_property
    def _accepted(self) -> set[str]:
        """Names of the arguments of the model's forward."""
        return set(inspect.signature(self._model.forward).parameters)

    def _root(self) -> _Fork:
        return _Fork(None, Segment([], [], []), 0)

    def _step(
        self,
        nodes: Sequence[Node],
        segments: Mapping[Node, Segment],
        prefixes: Mapping[Node, _Fork],
        prompts: Sequence[EncodedPrompt],
    ) -> tuple[list[_Fork | None], list[Result]]:
        """Compute a batch of nodes: the prefix that each one's children continue, and the results of prompts there."""
        ends: dict[Node, _Fork | None] = {}
        results: dict[Node, Result] = {}
        alike: dict[tuple[Node | None, int, int], list[Node]] = defaultdict(list)
        for node in nodes:
            alike[node.parent, len(segments[node].ids), len(segments[node].images)].append(node)
        for (parent, _, _), rows in alike.items():
            assert parent is not None
            prefix = prefixes[parent]
            state = self._prefill([segments[node] for node in rows], prefix)
            for row, node in enumerate(rows):
                one = torch.tensor([row], device=self._model.device)
                cache = select_rows(state.cache, one, len(rows)) if node.children else None
                ends[node] = (
                    _Fork(cache, prefix.path + segments[node], int(state.positions[row])) if node.children else None
                )
            if rows[0].ends:
                results |= dict(zip(rows, self._decode(state, rows, prompts), strict=True))
        return [ends[node] for node in nodes], [results[node] for node in nodes if node in results]

    def _prefill_whole(self, segments: Sequence[Segment], capacity: int) -> DecodingState:
        return self._prefill(segments, self._root())

    def _prefill(self, segments: Sequence[Segment], prefix: _Fork) -> ForkedState:
        """Compute segments of equal length and equally many images after the same prefix, one per row."""
        device = self._model.device
        ids = torch.tensor([segment.ids for segment in segments], device=device)
        rows = len(segments)
        positions, following = zip(*(self._positions(segment, prefix.position) for segment in segments), strict=True)
        mask = torch.ones(rows, len(prefix.path.ids) + ids.shape[1], dtype=torch.long, device=device)
        arguments = self._arguments(segments, prefix.path)
        cache = None if prefix.cache is None else select_rows(prefix.cache, torch.zeros_like(ids[:, 0]), 1)
        output = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=torch.stack(positions, dim=-2).to(device),
            past_key_values=cache,
            use_cache=True,
            **arguments,
        )
        self.tokens_computed += ids.numel()
        logits = output.logits[:, -1].float()
        return self._state(output.past_key_values, mask, torch.tensor(following, device=device), logits, arguments)

    def _arguments(self, segments: Sequence[Segment], prefix: Segment) -> dict[str, Any]:
        """Further arguments of the forward pass over segments, one per row, after the same prefix."""
        images = self.images.model_input([segment.images for segment in segments])
        return {**self._token_types(segments, prefix.types), **images}

    def _state(
        self, cache: Any, mask: Tensor, positions: Tensor, logits: Tensor, arguments: Mapping[str, Any]
    ) -> ForkedState:
        """The state after a forward pass with some further arguments."""
        return ForkedState(self._model, cache, mask, positions, logits)

    def _token_types(self, segments: Sequence[Segment], prefix: list[int]) -> dict[str, Tensor]:
        """What models with attention in both directions within an image need: the types of all tokens, (B, L + T)."""
        new = [segment.types for segment in segments]
        rows = {"mm_token_type_ids": new, "token_type_ids": [prefix + types for types in new]}
        return {
            name: torch.tensor(types, device=self._model.device)
            for name, types in rows.items()
            if name in self._accepted
        }


class ForkedState(DecodingState):
    """A batch of prompts whose cache cannot be rewound, and is copied instead."""

    def select(self, rows: Sequence[int]) -> Self:
        """An independent copy of some rows."""
        index = torch.tensor(rows, device=self.logits.device)
        return self._with_rows(index, select_rows(self.cache, index, len(self.logits)))

    def _room(self) -> int:
        return 0

    def _branch_logits(self, ids: Tensor, positions: Tensor, numbers: Tensor) -> Tensor:
        state = self.select(range(len(ids)))
        state._mask = torch.cat([state._mask, torch.ones_like(ids)], dim=1)
        return state._forward(ids, positions)

    def _arguments(self, tokens: int) -> dict[str, Any]:
        return {}


def select_rows(cache: Any, rows: Tensor, size: int, name: str = "") -> Any:
    """A copy of some rows of a model's cache; a row may be repeated.

    Args:
        cache: a cache of `transformers`, whose tensors have one row per prompt.
        rows: (B,), numbers of the rows.
        size: number of rows of the cache.
        name: name of the attribute that is copied; of position ids, the axes come before the rows.
    """
    if isinstance(cache, Tensor):
        axis = 1 if name.endswith("position_ids") and cache.ndim > 2 else 0
        has_rows = cache.ndim > 1 and cache.shape[axis] == size
        return cache.index_select(axis, rows) if has_rows else cache.clone()
    if isinstance(cache, dict):
        return {key: select_rows(value, rows, size) for key, value in cache.items()}
    if isinstance(cache, list | tuple):
        return type(cache)(select_rows(value, rows, size) for value in cache)
    if hasattr(cache, "__dict__") and not isinstance(cache, type):
        selected = copy.copy(cache)
        vars(selected).update({key: select_rows(value, rows, size, key) for key, value in vars(cache).items()})
        return selected
    return cache
