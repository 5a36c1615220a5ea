"""KV caches: one copy of each prefix segment, and a batch layout whose rows share prefixes.

B rows of a batch in R groups of at most G rows, C heads, T tokens, E the width of a head; L is the length of the
longest prefix.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

__all__ = ["PrefixCache", "RowGroups", "SegmentKV", "is_plain_kv_cache"]

SegmentKV = list[tuple[Tensor, Tensor]]
"""Keys and values (C, T, E) of one segment in each layer."""


def is_plain_kv_cache(cache: Any) -> bool:
    """Whether a model's cache consists of the keys and values of every token in every layer, and nothing else."""
    layers = list(getattr(cache, "layers", ()))
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


class _Layer(DynamicLayer):
    """A layer with preallocated space for `capacity` tokens per row, so that its end can be overwritten."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.is_initialized: bool = False
        self.capacity, self.length = capacity, 0

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            rows, heads, _, width = key_states.shape
            self.keys = key_states.new_empty(rows, heads, self.capacity, width)
            self.values = value_states.new_empty(rows, heads, self.capacity, value_states.shape[-1])
            self.is_initialized = True
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length


class RowGroups:
    """The rows of a batch in groups that follow the same prefix; the rows of a group are next to each other.

    Args:
        sizes: number of rows of each group.
        device: of the rows.

    Attributes:
        count: R, the number of groups.
        size: G, the number of rows of the largest group.
        of_rows: (B,), the group of each row.
    """

    def __init__(self, sizes: Sequence[int], device: torch.device) -> None:
        self.count, self.size = len(sizes), max(sizes)
        counts = torch.tensor(sizes, device=device)
        self.of_rows = torch.repeat_interleave(counts)
        self._is_even = min(sizes) == self.size
        ends = counts.cumsum(0)[:, None]
        # Smaller groups are padded with their last row.
        self._rows = (ends - counts[:, None] + torch.arange(self.size, device=device)).minimum(ends - 1)
        number_in_group = torch.arange(sum(sizes), device=device) - self._rows[self.of_rows, 0]
        self._places = self.of_rows * self.size + number_in_group

    def split(self, rows: Tensor) -> Tensor:
        """Rows (B, …) as groups (R, G, …)."""
        return rows.unflatten(0, (self.count, self.size)) if self._is_even else rows[self._rows]

    def join(self, groups: Tensor) -> Tensor:
        """Groups (R, G, …) as rows (B, …)."""
        rows = groups.flatten(0, 1)
        return rows if self._is_even else rows[self._places]


class PrefixCache(DynamicCache):
    """Keys and values of a batch whose rows follow shared prefixes.

    The model only knows of the tokens after the prefixes; its attention reads the prefixes separately (see
    `lcl_lab.models.engine.attention`).

    Args:
        layers: number of layers.
        paths: for each of the R groups, the segments of its prefix.
        lengths: for each group, the number of tokens of its prefix.
        groups: which rows follow which prefix.
        capacity: maximum number of tokens per row after the prefixes.

    Attributes:
        groups: as above.
        capacity: as above.
        prefix_mask: (R, L), True for tokens of the prefixes and False for padding; None without padding.
    """

    def __init__(
        self,
        layers: int,
        paths: Sequence[Sequence[SegmentKV]],
        lengths: Sequence[int],
        groups: RowGroups,
        capacity: int,
    ) -> None:
        super().__init__()
        self.groups, self.capacity = groups, capacity
        self.layers = [_Layer(capacity) for _ in range(layers)]
        self.layer_class_to_replicate = None
        self.prefix_mask: Tensor | None = None
        self._prefixes: list[tuple[Tensor, Tensor]] = []
        if any(lengths):
            like = next(path for path in paths if path)[0]
            self._prefixes = [
                (_join(paths, lengths, layer, 0, like), _join(paths, lengths, layer, 1, like))
                for layer in range(layers)
            ]
            if len(set(lengths)) > 1:
                device = self._prefixes[0][0].device
                index = torch.arange(max(lengths), device=device)
                self.prefix_mask = index < torch.tensor(lengths, device=device)[:, None]

    def prefix(self, layer: int) -> tuple[Tensor, Tensor] | None:
        """Keys and values (R, C, L, E) of the prefixes in one layer; None without prefixes."""
        return self._prefixes[layer] if self._prefixes else None

    def rewind(self, length: int) -> None:
        """Discard everything after the first `length` tokens of each row."""
        for layer in self.layers:
            layer.length = length

    def last(self, row: int, tokens: int) -> SegmentKV:
        """A copy of the last tokens of one row."""
        return [
            (
                layer.keys[row, :, layer.length - tokens : layer.length].clone(),
                layer.values[row, :, layer.length - tokens : layer.length].clone(),
            )
            for layer in self.layers
        ]

    def select(self, rows: Tensor) -> PrefixCache:
        """A copy of some rows, in ascending order, with the same capacity. Prefixes that all remain are not copied."""
        kept, sizes = self.groups.of_rows[rows].unique_consecutive(return_counts=True)
        selected = PrefixCache(0, (), (), RowGroups(sizes.tolist(), rows.device), self.capacity)
        for layer in self.layers:
            copied = _Layer(layer.capacity)
            copied.keys, copied.values = layer.keys[rows], layer.values[rows]
            copied.length, copied.is_initialized = layer.length, True
            selected.layers.append(copied)
        selected._prefixes, selected.prefix_mask = self._prefixes, self.prefix_mask
        if len(kept) < self.groups.count:
            selected._prefixes = [(keys[kept], values[kept]) for keys, values in self._prefixes]
            selected.prefix_mask = None if self.prefix_mask is None else self.prefix_mask[kept]
        return selected


def _join(
    paths: Sequence[Sequence[SegmentKV]], lengths: Sequence[int], layer: int, part: int, like: SegmentKV
) -> Tensor:
    """Keys (part 0) or values (part 1) of all prefixes in one layer, padded on the right: (R, C, L, E)."""
    if len(paths) == 1:
        return torch.cat([segment[layer][part] for segment in paths[0]], dim=1)[None]
    heads, _, width = like[layer][part].shape
    joined = like[layer][part].new_zeros(len(paths), heads, max(lengths), width)
    for row, path in enumerate(paths):
        start = 0
        for segment in path:
            tensor = segment[layer][part]
            joined[row, :, start : start + tensor.shape[1]] = tensor
            start += tensor.shape[1]
    return joined
