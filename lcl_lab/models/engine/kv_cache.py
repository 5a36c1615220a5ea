"""Keys and values of what was read: kept for each segment once, and laid out for a batch that reads on.

B rows of a batch in R groups of equal size, C heads, T tokens of width E.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

__all__ = ["PrefixCache", "SegmentKV", "can_be_kept"]

SegmentKV = list[tuple[Tensor, Tensor]]
"""Of each layer the keys and the values (C, T, E) of one segment."""


def can_be_kept(cache: Any) -> bool:
    """Whether what a model keeps is keys and values of every token in every layer, and nothing else."""
    layers = list(getattr(cache, "layers", ()))
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


class _Layer(DynamicLayer):
    """A layer with room for `room` tokens a row: nothing is moved when more come, and the end can be read anew."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.is_initialized: bool = False
        self.room, self.length = room, 0

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            rows, heads, _, width = key_states.shape
            self.keys = key_states.new_empty(rows, heads, self.room, width)
            self.values = value_states.new_empty(rows, heads, self.room, value_states.shape[-1])
            self.is_initialized = True
        end = self.length + key_states.shape[2]
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self.length


class PrefixCache(DynamicCache):
    """What the rows of a batch read, with room for `room` tokens each, after prefixes that are shared.

    `paths` are the segments before each of the R groups, `lengths` their tokens. To the model the prefixes are not
    there: its attention is given them apart (`lcl_lab.models.engine.attention`). `seen` (R, L) tells which places of
    the prefixes are tokens; None where all are.
    """

    def __init__(self, layers: int, paths: Sequence[Sequence[SegmentKV]], lengths: Sequence[int], room: int) -> None:
        super().__init__()
        self.layers = [_Layer(room) for _ in range(layers)]
        self.layer_class_to_replicate = None
        self.seen: Tensor | None = None
        self._prefixes: list[tuple[Tensor, Tensor]] = []
        if any(lengths):
            some = next(path for path in paths if path)
            self._prefixes = [
                (_lay(paths, lengths, layer, 0, some), _lay(paths, lengths, layer, 1, some)) for layer in range(layers)
            ]
            if len(set(lengths)) > 1:
                device = self._prefixes[0][0].device
                places = torch.arange(max(lengths), device=device)
                self.seen = places < torch.tensor(lengths, device=device)[:, None]

    def prefix(self, layer: int) -> tuple[Tensor, Tensor] | None:
        """The keys and values (R, C, L, E) of the prefixes in one layer."""
        return self._prefixes[layer] if self._prefixes else None

    def rewind(self, length: int) -> None:
        """Forget what was read after the first `length` tokens."""
        for layer in self.layers:
            layer.length = length

    def kept(self, row: int, tokens: int) -> SegmentKV:
        """A copy of the last tokens of one row."""
        return [
            (
                layer.keys[row, :, layer.length - tokens : layer.length].clone(),
                layer.values[row, :, layer.length - tokens : layer.length].clone(),
            )
            for layer in self.layers
        ]

    def only(self, rows: Tensor) -> PrefixCache:
        """Some of the rows, with the same room left."""
        part = PrefixCache(0, (), (), 0)
        for layer in self.layers:
            copied = _Layer(layer.room)
            copied.keys, copied.values = layer.keys[rows], layer.values[rows]
            copied.length, copied.is_initialized = layer.length, True
            part.layers.append(copied)
        if self._prefixes:
            groups = rows // (len(self.layers[0].keys) // len(self._prefixes[0][0]))
            part._prefixes = [(keys[groups], values[groups]) for keys, values in self._prefixes]
            part.seen = None if self.seen is None else self.seen[groups]
        return part


def _lay(
    paths: Sequence[Sequence[SegmentKV]], lengths: Sequence[int], layer: int, which: int, some: Sequence[SegmentKV]
) -> Tensor:
    """Prefixes of one layer side by side: (R, C, L, E)."""
    if len(paths) == 1:
        return torch.cat([segment[layer][which] for segment in paths[0]], dim=1)[None]
    heads, _, width = some[0][layer][which].shape
    laid = some[0][layer][which].new_zeros(len(paths), heads, max(lengths), width)
    for row, path in enumerate(paths):
        start = 0
        for segment in path:
            part = segment[layer][which]
            laid[row, :, start : start + part.shape[1]] = part
            start += part.shape[1]
    return laid
