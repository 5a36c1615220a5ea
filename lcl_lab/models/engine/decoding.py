"""A batch of prompts that a model has read to some place, and goes on from there.

B rows, T tokens read at a time, U since their prefixes, V words of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lcl_lab.models.engine.kv_cache import PrefixCache
from lcl_lab.models.interface import Loglik

__all__ = ["Reading", "ends"]


def ends(model: Any) -> Tensor:
    """The tokens that end an answer."""
    found = model.generation_config.eos_token_id
    return torch.tensor(found if isinstance(found, list) else [found], device=model.device)


class Reading:
    """`logits` (B, V) are of the token that comes next, `following` (B,) are its positions.

    `mask` (B, U) tells which of the places that the rows have read since their prefixes hold a token.
    """

    def __init__(self, model: Any, slab: PrefixCache, mask: Tensor, following: Tensor, logits: Tensor) -> None:
        self._model, self.slab, self._mask, self.following, self.logits = model, slab, mask, following, logits
        self._axes = 3 if hasattr(model.model, "get_rope_index") else 1

    def only(self, rows: Sequence[int]) -> Reading:
        """A reading of some of the rows, independent of this one."""
        chosen = torch.tensor(rows, device=self.logits.device)
        return Reading(
            self._model, self.slab.only(chosen), self._mask[chosen], self.following[chosen], self.logits[chosen]
        )

    def read(self, ids: Tensor) -> Tensor:
        """Read (B, T) more tokens; the logits after each: (B, T, V)."""
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        positions = self.following[:, None] + torch.arange(ids.shape[1], device=ids.device)
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions.expand(self._axes, -1, -1) if self._axes > 1 else positions,
            past_key_values=self.slab,
            use_cache=True,
            slab=self.slab,
        )
        self.following = self.following + ids.shape[1]
        logits: Tensor = output.logits.float()
        self.logits = logits[:, -1]
        return logits

    def score(self, answers: Sequence[Sequence[int]]) -> list[tuple[Loglik, bool]]:
        """The log-likelihood of one answer a row, and whether it is what the model would say by itself.

        The reading stays where it is.
        """
        longest = max(map(len, answers))
        ids = torch.tensor([list(a) + [0] * (longest - len(a)) for a in answers], device=self.logits.device)
        logits, mask, following = self.logits[:, None], self._mask, self.following
        if longest > 1:
            first = self.logits
            logits = torch.cat([logits, self.read(ids[:, :-1])], dim=1)
            self.slab.rewind(mask.shape[1])
            self._mask, self.following, self.logits = mask, following, first
        tokens = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        greedy = logits.argmax(-1) == ids
        return [
            (Loglik(float(row[: len(answer)].sum()), len(answer)), bool(own[: len(answer)].all()))
            for row, own, answer in zip(tokens, greedy, answers, strict=True)
        ]

    def greedy(self, ends: Tensor, most: int) -> list[list[int]]:
        """The likeliest next tokens of each row up to one of `ends`, at most `most`. Moves the reading on."""
        rows: list[Tensor] = []
        ended = torch.zeros(len(self.logits), dtype=torch.bool, device=self.logits.device)
        while len(rows) < most:
            token = self.logits.argmax(-1)
            ended |= torch.isin(token, ends)
            rows.append(torch.where(ended, ends[0], token))
            if ended.all() or len(rows) == most:
                break
            self.read(token[:, None])
        return torch.stack(rows, dim=1).tolist()
