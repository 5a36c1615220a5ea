"""Prompts as tensors, and the loss of a LLaVA on their answers.

B prompts of T tokens, N images of I features of width D_vision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcl_lab.models.engine.prompt_encoder import Encoder
from lcl_lab.prompts import Prompt
from lcl_lab.training.feature_bank import Bank
from lcl_lab.training.frozen_vision import project
from lcl_lab.training.loop import Part

__all__ = ["AnswerLoss", "Reader", "candidate_accuracy"]

_IGNORED = -100


class AnswerLoss(nn.Module):
    """A LLaVA without its tower that gives the negative log-likelihood of each prompt's answers, in nats: (B,)."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def llava(self) -> Any:
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    def forward(self, ids: Tensor, mask: Tensor, labels: Tensor, features: Tensor) -> Tensor:
        """`ids`, `mask` and `labels` are (B, T), `features` (N, I, D_vision)."""
        seen = BaseModelOutputWithPooling(pooler_output=list(project(self.llava, features)))
        output = self.llava.model(
            input_ids=ids, attention_mask=mask, mm_encoder_outputs={"image": seen}, use_cache=False
        )
        targets = labels[:, 1:]
        counted = targets != _IGNORED
        # Few tokens carry loss, so only these pay for the vocabulary.
        logits = self.llava.lm_head(output.last_hidden_state[:, :-1][counted]).float()
        losses = nn.functional.cross_entropy(logits, targets[counted], reduction="none")
        rows = counted.nonzero()[:, 0]
        return torch.zeros(len(ids), device=ids.device).index_add(0, rows, losses)


class Reader:
    """Makes a `Part` of prompts. The loss is on the final answer, or on every answer of the dialogue.

    A first answer cannot be known, so it teaches only which letters names have: on the embedded world
    the final answer alone reached 0.83 after 500 steps, every answer 0.66.
    """

    def __init__(self, processor: Any, bank: Bank, every_answer: bool = False) -> None:
        self._encode = Encoder(processor)
        self._bank = bank
        self._every = every_answer

    def read(self, prompts: Sequence[tuple[Prompt, np.random.Generator]], candidate: int = 0) -> Part:
        """The prompts, each with the generator that drew it, padded on the right and answered by a candidate."""
        rows, labels, features = [], [], []
        for prompt, rng in prompts:
            encoded = self._encode(replace(prompt, candidates=(prompt.candidates[candidate],)))
            seen = self._bank(encoded.images, rng)
            patches = [seen.shape[1]] * len(seen)
            prefix = encoded.expanded(self._encode.placeholder, patches)
            (answer,) = encoded.candidates
            row = torch.tensor(prefix + answer)
            counted = torch.full_like(row, _IGNORED)
            counted[len(prefix) :] = row[len(prefix) :]
            for start, stop in self._earlier(prompt, patches) if self._every else ():
                counted[start:stop] = row[start:stop]
            rows.append(row)
            labels.append(counted)
            features.append(seen)
        pad = nn.utils.rnn.pad_sequence
        mask = pad([torch.ones_like(row) for row in rows], batch_first=True)
        inputs = {
            "ids": pad(rows, True),
            "mask": mask,
            "labels": pad(labels, True, _IGNORED),
            "features": torch.cat(features),
        }
        carrying = sum(int((row != _IGNORED).sum()) for row in labels)
        return Part(inputs, carrying, int(mask.sum()))

    def _earlier(self, prompt: Prompt, patches: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Where the answers of the support begin and end."""
        for number, turn in enumerate(prompt.turns):
            if turn.role == "assistant":
                before = self._encode(Prompt(prompt.turns[:number], (str(turn.parts[0]),)))
                start = len(before.expanded(self._encode.placeholder, patches))
                yield start, start + len(before.candidates[0])


def candidate_accuracy(
    score: Callable[..., Tensor], reader: Reader, prompts: Sequence[Prompt], batch: int, device: torch.device
) -> float:
    """How often the first candidate of a prompt is more likely a token than the second."""
    right = []
    rng = np.random.default_rng(0)
    for start in range(0, len(prompts), batch):
        some = [(prompt, rng) for prompt in prompts[start : start + batch]]
        scores = []
        for candidate in (0, 1):
            part = reader.read(some, candidate)
            inputs = {key: value.to(device) for key, value in part.inputs.items()}
            with torch.no_grad():
                tokens = (inputs["labels"] != _IGNORED).sum(1)
                scores.append(score(**inputs) / tokens)
        right.append(scores[0] < scores[1])
    return float(torch.cat(right).float().mean())
