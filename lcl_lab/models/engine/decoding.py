"""Scoring and greedy decoding, continued from the end of a batch of prompts.

B rows, T new tokens per row, U tokens since the shared prefixes (padding included), V the size of the vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from lcl_lab.models.engine.kv_cache import PrefixCache
from lcl_lab.models.interface import Loglik

__all__ = ["DecodingState"]


class DecodingState:
    """A batch of prompts after prefill.

    Args:
        model: the model.
        cache: keys and values of the batch.
        mask: (B, U), 1 for tokens and 0 for padding.
        positions: (B,), position ids of the next tokens.
        logits: (B, V), logits of the next tokens.
    """

    def __init__(self, model: Any, cache: Any, mask: Tensor, positions: Tensor, logits: Tensor) -> None:
        self._model, self.cache, self._mask, self.positions, self.logits = model, cache, mask, positions, logits
        self._axes = 3 if hasattr(getattr(model, "model", model), "get_rope_index") else 1

    def select(self, rows: Sequence[int]) -> Self:
        """An independent copy of some rows."""
        index = torch.tensor(rows, device=self.logits.device)
        return self._with_rows(index, self.cache.select(index))

    def append(self, ids: Tensor) -> Tensor:
        """Append tokens (B, T) and return the logits after each, (B, T, V)."""
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        positions = self.positions[:, None] + torch.arange(ids.shape[1], device=ids.device)
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions.expand(self._axes, -1, -1) if self._axes > 1 else positions,
            past_key_values=self.cache,
            use_cache=True,
            **self._arguments(ids.shape[1]),
        )
        self.positions = self.positions + ids.shape[1]
        logits: Tensor = output.logits.float()
        self.logits = logits[:, -1]
        return logits

    def score(self, answers: Sequence[Sequence[int]], closing: int) -> list[tuple[Loglik, bool]]:
        """Score one answer per row, without advancing the state.

        Args:
            answers: ids of the answers.
            closing: number of ids at their start that are not scored.

        Returns:
            For each row the log-likelihood of the answer, and whether it is what greedy decoding would generate.
        """
        longest = max(map(len, answers))
        ids = torch.tensor([list(a) + [0] * (longest - len(a)) for a in answers], device=self.logits.device)
        logits = self.logits[:, None]
        if longest > 1:
            logits = torch.cat([logits, self._peek(ids[:, :-1])], dim=1)
        tokens = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        greedy = logits.argmax(-1) == ids
        return [
            (
                Loglik(float(row[closing : len(answer)].sum()), len(answer) - closing),
                bool(is_greedy[: len(answer)].all()),
            )
            for row, is_greedy, answer in zip(tokens, greedy, answers, strict=True)
        ]

    def _with_rows(self, index: Tensor, cache: Any) -> Self:
        """A copy with the rows of an index (B,), given their cache."""
        selected = copy.copy(self)
        selected.cache, selected._mask = cache, self._mask[index]
        selected.positions, selected.logits = self.positions[index], self.logits[index]
        return selected

    def _arguments(self, tokens: int) -> dict[str, Any]:
        """Further arguments of a forward pass over so many tokens per row."""
        return {"prefix_cache": self.cache} if isinstance(self.cache, PrefixCache) else {}

    def _peek(self, ids: Tensor) -> Tensor:
        """The logits after each of some tokens (B, T), as `append` returns them, without advancing the state."""
        logits, mask, positions = self.logits, self._mask, self.positions
        peeked = self.append(ids)
        self.cache.rewind(mask.shape[1])
        self._mask, self.positions, self.logits = mask, positions, logits
        return peeked

    def greedy(self, ends: Tensor, limit: int) -> list[list[int]]:
        """Decode greedily until one of `ends` or `limit` tokens; advances the state.

        Returns:
            The ids of each row, all of the same length; rows that ended earlier are filled with the first end token.
        """
        columns: list[Tensor] = []
        ended = torch.zeros(len(self.logits), dtype=torch.bool, device=self.logits.device)
        while len(columns) < limit:
            token = self.logits.argmax(-1)
            ended |= torch.isin(token, ends)
            columns.append(torch.where(ended, ends[0], token))
            if ended.all() or len(columns) == limit:
                break
            self.append(token[:, None])
        return torch.stack(columns, dim=1).tolist()
