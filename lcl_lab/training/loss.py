"""Prompts as tensors, and the loss of a LLaVA on their answers.

B prompts of T tokens, N images of I features of width D_vision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.prompts import Prompt
from lcl_lab.training.feature_bank import ImageFeatures
from lcl_lab.training.frozen_vision import project
from lcl_lab.training.loop import MicroBatch
from lcl_lab.training.trainable_parts import layer_classes

__all__ = ["IGNORED", "AnswerLoss", "BatchBuilder", "Drawn", "FeatureBatchBuilder"]

Drawn = tuple[Prompt, np.random.Generator]
"""A prompt, and the generator that drew it."""

IGNORED = -100
"""Label of a token without loss."""


class AnswerLoss(nn.Module):
    """Computes the negative log-likelihood of each prompt's answers, in nats.

    Args:
        model: a LLaVA without its vision encoder, possibly with adapters.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._no_split_modules = layer_classes(model)  # where FSDP looks for them

    @property
    def llava(self) -> Any:
        """The LLaVA without the wrapper of adapters."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    def forward(self, ids: Tensor, mask: Tensor, labels: Tensor, features: Tensor) -> Tensor:
        """Compute the loss of each prompt.

        Args:
            ids: (B, T), token ids.
            mask: (B, T), 1 for tokens and 0 for padding.
            labels: (B, T), the ids of tokens with loss, else `IGNORED`.
            features: (N, I, D_vision), the images of all prompts in order.

        Returns:
            (B,), summed over the tokens of a prompt.
        """
        projected = project(self.llava, features)
        images = {"image": BaseModelOutputWithPooling(pooler_output=list(projected))} if len(projected) else None
        output = self.llava.model(input_ids=ids, attention_mask=mask, mm_encoder_outputs=images, use_cache=False)
        targets = labels[:, 1:]
        with_loss = targets != IGNORED
        # Few tokens have a loss, so logits over the vocabulary are computed only for these.
        logits = self.llava.lm_head(output.last_hidden_state[:, :-1][with_loss]).float()
        losses = nn.functional.cross_entropy(logits, targets[with_loss], reduction="none")
        rows = with_loss.nonzero()[:, 0]
        if images is None:  # text only: processes that share gradients wait for those of the projector
            losses = losses + projected.sum()
        return torch.zeros(len(ids), device=ids.device).index_add(0, rows, losses)


class BatchBuilder(Protocol):
    """Turns prompts into what a module computes the loss of."""

    def batches(self, drawn: Sequence[Drawn], candidate: int = 0) -> Iterator[tuple[Sequence[int], MicroBatch]]:
        """The positions of the prompts of each micro-batch, and the micro-batch.

        Args:
            drawn: each prompt with the generator that drew it.
            candidate: index of the candidate that is the final answer.
        """

    def tokens(self, prompt: Prompt) -> int:
        """The number of tokens of a prompt with its images and its first candidate."""


class FeatureBatchBuilder:
    """Turns prompts into micro-batches of tokens and image features.

    The loss is on the final answer, or on every answer of the dialogue. The first answer of a support cannot be
    predicted, so it teaches only which letters names have: on the embedded world, training on the final answer only
    reached 0.83 after 500 steps, training on every answer 0.66.

    Args:
        processor: the processor of the model.
        features: the image features.
        every_answer: whether the answers in the support have a loss, too.
        joined: build one micro-batch of all prompts; by default prompts without a support are in one of their own,
            since those with one are so long that padding would be wasteful.
    """

    def __init__(
        self, processor: Any, features: ImageFeatures, every_answer: bool = False, joined: bool = False
    ) -> None:
        self._encode = PromptEncoder(processor)
        self._features = features
        self._every_answer, self._joined = every_answer, joined

    def batches(self, drawn: Sequence[Drawn], candidate: int = 0) -> Iterator[tuple[Sequence[int], MicroBatch]]:
        """Build micro-batches, padded on the right.

        Args:
            drawn: each prompt with the generator that drew it, from which its features are augmented.
            candidate: index of the candidate that is the final answer.

        Yields:
            The positions of the prompts of a micro-batch, in its order, and the micro-batch.
        """
        numbers = range(len(drawn))
        has_support = [bool(prompt.images[1:]) for prompt, _ in drawn]
        groups = [numbers] if self._joined else [[n for n in numbers if has_support[n] == one] for one in (False, True)]
        for group in filter(None, groups):
            yield group, self._build([drawn[number] for number in group], candidate)

    def tokens(self, prompt: Prompt) -> int:
        """The number of tokens of a prompt with its images and its first candidate."""
        encoded = self._encode(prompt)
        features = self._features(encoded.images, np.random.default_rng(0))
        return len(encoded.expanded([features.shape[1]] * len(features))) + len(encoded.candidates[0])

    def _build(self, drawn: Sequence[Drawn], candidate: int) -> MicroBatch:
        rows, labels, features = [], [], []
        for prompt, rng in drawn:
            encoded = self._encode(replace(prompt, candidates=(prompt.candidates[candidate],)))
            images = self._features(encoded.images, rng)
            sizes = [images.shape[1]] * len(images)
            prefix = encoded.expanded(sizes)
            (answer,) = encoded.candidates
            row = torch.tensor(prefix + answer)
            label = torch.full_like(row, IGNORED)
            label[len(prefix) :] = row[len(prefix) :]
            for start, stop in self._support_answers(prompt, sizes) if self._every_answer else ():
                label[start:stop] = row[start:stop]
            rows.append(row)
            labels.append(label)
            features.append(images)
        pad = nn.utils.rnn.pad_sequence
        mask = pad([torch.ones_like(row) for row in rows], batch_first=True)
        inputs = {
            "ids": pad(rows, True),
            "mask": mask,
            "labels": pad(labels, True, IGNORED),
            "features": torch.cat(features),
        }
        loss_tokens = sum(int((label != IGNORED).sum()) for label in labels)
        return MicroBatch(inputs, loss_tokens, int(mask.sum()))

    def _support_answers(self, prompt: Prompt, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
        """First token and end of each answer in the support."""
        for number, turn in enumerate(prompt.turns):
            if turn.role == "assistant":
                before = self._encode(Prompt(prompt.turns[:number], (str(turn.parts[0]),)))
                start = len(before.expanded(sizes))
                yield start, start + len(before.candidates[0])
