"""Scoring and greedy decoding, continued from the end of a batch of prompts.

B rows, T new tokens per row, U tokens since the shared prefixes (padding included), V the size of the vocabulary. The
answers of a row that are scored in one forward pass are branches: their tokens do not attend to each other.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Self

import torch
from torch import Tensor

from lcl_lab.models.interface import Loglik

__all__ = ["Answer", "DecodingState", "as_loglik"]

Answer = Sequence[int]
"""Token ids of an answer."""


def as_loglik(tokens: Sequence[float]) -> Loglik:
    """The log-likelihood of an answer from those of its tokens, in nats."""
    return Loglik(sum(tokens), len(tokens), tuple(tokens))


class DecodingState:
    """A batch of prompts after prefill.

    Args:
        model: the model.
        cache: keys and values of the batch, a `PrefixCache` unless a subclass says otherwise.
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

    def append(self, ids: Tensor) -> None:
        """Append tokens (B, T)."""
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        positions = self.positions[:, None] + torch.arange(ids.shape[1], device=ids.device)
        self.logits = self._forward(ids, positions)[:, -1]
        self.positions = self.positions + ids.shape[1]

    def score(self, answers: Sequence[Sequence[Answer]], closing: int) -> list[list[tuple[Loglik, bool]]]:
        """Score the answers of each row, without advancing the state.

        Args:
            answers: ids of the answers, for each row; no answer is empty.
            closing: number of ids at their start that are not scored.

        Returns:
            For each answer its log-likelihood, and whether it is what greedy decoding would generate.
        """
        scores: list[list[tuple[Loglik, bool]]] = [[] for _ in answers]
        for branches in _rounds(answers, self._room()):
            firsts = self._padded([[answer[0] for answer in of_row] for of_row in branches])
            first, first_greedy = (values.tolist() for values in _token_scores(self.logits, firsts))
            later, later_greedy = (values.tolist() for values in self._later_tokens(branches))
            for row, of_row in enumerate(branches):
                start = 0
                for number, answer in enumerate(of_row):
                    end = start + len(answer) - 1
                    tokens = [first[row][number], *later[row][start:end]][closing:]
                    is_greedy = all([first_greedy[row][number], *later_greedy[row][start:end]])
                    scores[row].append((as_loglik(tokens), is_greedy))
                    start = end
        return scores

    def greedy(self, rows: Sequence[int], ends: Container[int], limit: int) -> list[list[int]]:
        """Decode some rows greedily until one of `ends` or `limit` tokens; the state cannot be used afterwards.

        Returns:
            The ids of each of the rows.
        """
        answers: dict[int, list[int]] = {row: [] for row in rows}
        unfinished = set(rows)
        state, computed = self, list(range(len(self.logits)))
        for number in range(limit):
            tokens = state.logits.argmax(-1)
            for row, token in zip(computed, tokens.tolist(), strict=True):
                if row in unfinished:
                    answers[row].append(token)
                    if token in ends:
                        unfinished.remove(row)
            if not unfinished or number + 1 == limit:
                break
            if 2 * len(unfinished) <= len(computed):  # then copying these rows costs less than computing the others
                kept = [place for place, row in enumerate(computed) if row in unfinished]
                state, tokens, computed = state.select(kept), tokens[kept], [computed[place] for place in kept]
            state.append(tokens[:, None])
        return [answers[row] for row in rows]

    def _later_tokens(self, branches: Sequence[Sequence[Answer]]) -> tuple[Tensor, Tensor]:
        """The scores of all tokens but the first of each answer, one answer after another, (B, T)."""
        ids = self._padded([[token for answer in of_row for token in answer[:-1]] for of_row in branches])
        following = self._padded([[token for answer in of_row for token in answer[1:]] for of_row in branches])
        if not ids.shape[1]:
            return ids, ids
        numbers = [[number for number, answer in enumerate(of_row) for _ in answer[1:]] for of_row in branches]
        places = [[place for answer in of_row for place in range(len(answer) - 1)] for of_row in branches]
        positions = self.positions[:, None] + self._padded(places)
        logits = self._branch_logits(ids, positions, self._padded(numbers, -1))
        log_probabilities, is_greedy = _token_scores(logits, following[..., None])
        return log_probabilities[..., 0], is_greedy[..., 0]

    def _with_rows(self, index: Tensor, cache: Any) -> Self:
        """A copy with the rows of an index (B,), given their cache."""
        selected = copy.copy(self)
        selected.cache, selected._mask = cache, self._mask[index]
        selected.positions, selected.logits = self.positions[index], self.logits[index]
        return selected

    def _room(self) -> int:
        """Number of tokens of several answers that can be scored in one forward pass of a row; 0 if only one answer."""
        return int(self.cache.capacity) - self._mask.shape[1]

    def _branch_logits(self, ids: Tensor, positions: Tensor, numbers: Tensor) -> Tensor:
        """The logits (B, T, V) after each token of the branches with some numbers, without advancing the state.

        Args:
            ids: (B, T).
            positions: (B, T).
            numbers: (B, T), the branch of each token; -1 for padding.
        """
        mask = self._mask
        of_branch = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool, device=ids.device).tril()
        of_branch = of_branch & (numbers[:, :, None] == numbers[:, None])
        before = mask.bool()[:, None].expand(-1, ids.shape[1], -1)
        self._mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        logits = self._forward(ids, positions, branch_mask=torch.cat([before, of_branch], dim=-1)[:, None])
        self.cache.rewind(mask.shape[1])
        self._mask = mask
        return logits

    def _forward(self, ids: Tensor, positions: Tensor, **arguments: Any) -> Tensor:
        """The logits (B, T, V) after each of some tokens, whose mask is that of the state already."""
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions.expand(self._axes, -1, -1) if self._axes > 1 else positions,
            past_key_values=self.cache,
            use_cache=True,
            **self._arguments(ids.shape[1]),
            **arguments,
        )
        logits: Tensor = output.logits.float()
        return logits

    def _arguments(self, tokens: int) -> dict[str, Any]:
        """Further arguments of a forward pass over so many tokens per row."""
        return {"prefix_cache": self.cache}

    def _padded(self, rows: Sequence[Sequence[int]], fill: int = 0) -> Tensor:
        """Numbers of each row, padded on the right."""
        longest = max(map(len, rows))
        return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows], device=self.logits.device).long()


def _rounds(answers: Sequence[Sequence[Answer]], room: int) -> Iterator[list[list[Answer]]]:
    """The answers of each row in rounds; in each, a row has one answer or several with `room` tokens to compute."""
    of_rows: list[list[list[Answer]]] = []
    for row in answers:
        rounds: list[list[Answer]] = []
        used = 0
        for answer in row:
            if not rounds or used + len(answer) - 1 > room:
                rounds.append([])
                used = 0
            rounds[-1].append(answer)
            used += len(answer) - 1
        of_rows.append(rounds)
    yield from map(list, zip_longest(*of_rows, fillvalue=()))


def _token_scores(logits: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probability of each token (…, T) under logits (…, V), and whether it is the most probable one."""
    return logits.gather(-1, ids) - logits.logsumexp(-1, keepdim=True), logits.argmax(-1, keepdim=True) == ids
