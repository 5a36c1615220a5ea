"""Whole prompts as a model's processor encodes them, and the loss of any image-text model on their answers.

Nothing depends on the architecture here, so a model is compared with its evaluation before it is trained, see
`check_loss`.

B prompts of T tokens.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from PIL.Image import Image
from torch import Tensor, nn

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.engine.engine_choice import TOLERANCE, noise, trial_prompts
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine, accepted_inputs, process_prompts
from lcl_lab.prompts import Prompt
from lcl_lab.training.loop import MicroBatch
from lcl_lab.training.loss import IGNORED, Drawn
from lcl_lab.training.trainable_parts import frozen_modules, layer_classes

__all__ = ["PromptLoss", "WholePromptBuilder", "check_loss"]

_Inputs = dict[str, Tensor]
_PADDING = 1.25  # longest prompt of a micro-batch, relative to its shortest
_TOKENS = 16_384  # of a micro-batch of several prompts
_COUNTED = 64  # prompts whose tensors are kept until they are trained on

# Tensors with one entry per token, and how an answer extends them: by this value, or as its last entry says.
_PER_TOKEN: Mapping[str, int | None] = {
    "input_ids": None,
    "attention_mask": 1,
    "token_type_ids": 0,
    "mm_token_type_ids": 0,
    "cross_attention_mask": None,
    "image_attention_mask": None,
}


class PromptLoss(nn.Module):
    """Computes the negative log-likelihood of each prompt's answers, in nats.

    Args:
        model: an image-text-to-text model with a decoder, possibly with adapters.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self._no_split_modules = layer_classes(model)  # where FSDP looks for them
        self._keeps = "logits_to_keep" in inspect.signature(self.network.forward).parameters

    @property
    def network(self) -> Any:
        """The model without the wrapper of adapters."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    def train(self, mode: bool = True) -> PromptLoss:
        """Set the mode; modules without a trained weight stay in evaluation mode, without dropout."""
        super().train(mode)
        for module in frozen_modules(self.model):
            module.eval()
        return self

    def forward(self, labels: Tensor, **inputs: Tensor) -> Tensor:
        """Compute the loss of each prompt.

        Args:
            labels: (B, T), the ids of tokens with loss, else `IGNORED`.
            **inputs: arguments of the model.

        Returns:
            (B,), summed over the tokens of a prompt.
        """
        targets = labels[:, 1:]
        columns = (targets != IGNORED).any(0).nonzero()[:, 0]
        # Few tokens have a loss, so logits over the vocabulary are computed only for these, where the model can.
        if self._keeps:
            logits = self.model(**inputs, use_cache=False, logits_to_keep=columns).logits
        else:
            logits = self.model(**inputs, use_cache=False).logits[:, columns]
        losses = nn.functional.cross_entropy(
            logits.float().transpose(1, 2), targets[:, columns], ignore_index=IGNORED, reduction="none"
        )
        return losses.sum(1)


class WholePromptBuilder:
    """Turns prompts into micro-batches of what a model's processor returns.

    Prompts are encoded one at a time, as they are in evaluation, and joined where the shapes of their images and their
    lengths are similar.

    Args:
        model: the model, for the names of its arguments.
        processor: its processor.
        image: returns an image of the prompts in RGB.
        every_answer: whether the answers in the support have a loss, too.
        prompts: build one micro-batch per prompt, and as many as this: parts of a batch that processes compute at once
            must have equally many. By default prompts with images of the same shapes and similar lengths share one.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        image: Callable[[ImageRef], Image],
        every_answer: bool = False,
        prompts: int | None = None,
    ) -> None:
        self._processor, self._image = processor, image
        self._encode = PromptEncoder(processor, config=model.config)
        self._accepted, self._dtype = accepted_inputs(model), model.dtype
        self._every_answer, self._prompts = every_answer, prompts
        self._counted: OrderedDict[Prompt, _Inputs] = OrderedDict()

    def batches(self, drawn: Sequence[Drawn], candidate: int = 0) -> Iterator[tuple[Sequence[int], MicroBatch]]:
        """Build micro-batches, padded on the right.

        Args:
            drawn: each prompt with the generator that drew it.
            candidate: index of the candidate that is the final answer.

        Yields:
            The positions of the prompts of a micro-batch, in its order, and the micro-batch.
        """
        rows = [self._counted_row(prompt, candidate) for prompt, _ in drawn]
        for positions in self._groups(rows):
            yield positions, _join([rows[position] for position in positions])
        for _ in range(len(rows), self._prompts or 0):
            yield [], _join([{**rows[0], "labels": torch.full_like(rows[0]["labels"], IGNORED)}])

    def tokens(self, prompt: Prompt) -> int:
        """The number of tokens of a prompt with its images and its first candidate."""
        row = self._counted[prompt] = self._row(prompt, 0)
        while len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)
        return row["input_ids"].shape[1]

    def _counted_row(self, prompt: Prompt, candidate: int) -> _Inputs:
        """A row whose tokens may have been counted before, so that images are processed once."""
        counted = self._counted.pop(prompt, None)
        return self._row(prompt, candidate) if counted is None or candidate else counted

    def _row(self, prompt: Prompt, candidate: int) -> _Inputs:
        """The tensors of one prompt with its answer, and its labels."""
        processed = process_prompts(self._processor, self._encode, [prompt], self._image)
        inputs = {
            name: value.to(self._dtype) if value.is_floating_point() else value
            for name, value in processed.items()
            if name in self._accepted and isinstance(value, Tensor)
        }
        encoded = self._encode(replace(prompt, candidates=(prompt.candidates[candidate],)))
        (answer,) = encoded.candidates
        length = inputs["input_ids"].shape[1]
        row = {name: _extended(name, value, answer) for name, value in inputs.items()}
        labels = torch.full_like(row["input_ids"], IGNORED)
        labels[:, length + encoded.closing :] = row["input_ids"][:, length + encoded.closing :]
        for start, stop in self._support_answers(prompt, row["input_ids"][0].tolist()) if self._every_answer else ():
            labels[:, start:stop] = row["input_ids"][:, start:stop]
        return {**row, "labels": labels}

    def _support_answers(self, prompt: Prompt, ids: list[int]) -> Iterator[tuple[int, int]]:
        """First token and end of each answer in the support."""
        for number, turn in enumerate(prompt.turns):
            if turn.role == "assistant":
                before = Prompt(prompt.turns[:number], (str(turn.parts[0]),))
                start = process_prompts(self._processor, self._encode, [before], self._image)["input_ids"].shape[1]
                (answer,) = self._encode(before).candidates
                if ids[start : start + len(answer)] != answer:
                    reason = "the chat template of the model writes answers in the support differently; leave it out"
                    raise UserError(reason, option="every_answer")
                yield start, start + len(answer)

    def _groups(self, rows: Sequence[_Inputs]) -> Iterator[list[int]]:
        lengths = [row["input_ids"].shape[1] for row in rows]
        group: list[int] = []
        for position in sorted(range(len(rows)), key=lambda n: (_shapes(rows[n]), lengths[n])):
            full = (len(group) + 1) * lengths[position] > _TOKENS
            if group and (full or not self._together(rows, lengths, group[0], position)):
                yield group
                group = []
            group.append(position)
        yield group

    def _together(self, rows: Sequence[_Inputs], lengths: Sequence[int], shortest: int, other: int) -> bool:
        similar = lengths[other] <= _PADDING * lengths[shortest]
        return self._prompts is None and similar and _shapes(rows[shortest]) == _shapes(rows[other])


def check_loss(name: str, loss: PromptLoss, processor: Any) -> None:
    """Compare the loss of a model on prompts of noise with the log-likelihoods that its evaluation computes.

    Args:
        name: the model's name, for the error.
        loss: the loss, in evaluation mode.
        processor: the processor of the model.

    Raises:
        UserError: they differ by more than 1e-4 nats per token, or the model computes no loss.
    """
    model: Any = loss.network
    encoder = PromptEncoder(processor, config=model.config)
    reference = ReferenceEngine(model, processor, encoder, 1, None)
    builder = WholePromptBuilder(model, processor, noise)
    kind, rng = model.config.model_type, np.random.default_rng(0)
    for prompt in trial_prompts(model, processor, encoder):
        (expected,) = reference.logliks([prompt], noise)
        for candidate, loglik in enumerate(expected):
            try:
                ((_, batch),) = builder.batches([(prompt, rng)], candidate)
                with torch.no_grad():
                    found = float(loss(**{key: value.to(model.device) for key, value in batch.inputs.items()}))
            except Exception as error:  # an architecture may fail in any way
                reason = f"its architecture, {kind}, computes no loss: {type(error).__name__}: {error}"
                raise UserError(" ".join(reason.split())[:300], option="start", value=name) from error
            if not abs(found + loglik.total) <= TOLERANCE * loglik.tokens:
                reason = (
                    f"its architecture, {kind}, cannot be trained: the loss of an answer is {found:.4f} nats, and its "
                    f"log-likelihood in evaluation {loglik.total:.4f}"
                )
                raise UserError(reason, option="start", value=name)


def _extended(name: str, value: Tensor, answer: Sequence[int]) -> Tensor:
    """A tensor of a prompt (1, T, …) with entries for the tokens of its answer."""
    if name not in _PER_TOKEN:
        return value
    if name == "input_ids":
        return torch.cat([value, torch.tensor([list(answer)], dtype=value.dtype)], dim=1)
    filling = _PER_TOKEN[name]
    last = value[:, -1:] if filling is None else torch.full_like(value[:, -1:], filling)
    return torch.cat([value, last.expand(-1, len(answer), *value.shape[2:])], dim=1)


def _shapes(row: _Inputs) -> list[tuple[str, tuple[int, ...]]]:
    """What must agree for the tensors of two prompts to be joined."""
    tensors = {name: value for name, value in sorted(row.items()) if name != "labels"}
    return [
        (name, tuple(value.shape[2:] if name in _PER_TOKEN else value.shape[1:])) for name, value in tensors.items()
    ]


def _join(rows: Sequence[_Inputs]) -> MicroBatch:
    """Tensors of prompts one after another, those with entries per token padded on the right."""
    longest = max(row["labels"].shape[1] for row in rows)
    inputs = {name: torch.cat([_padded(name, row[name], longest) for row in rows]) for name in rows[0]}
    with_loss = int((inputs["labels"] != IGNORED).sum())
    return MicroBatch(inputs, with_loss, int(inputs["attention_mask"].sum()))


def _padded(name: str, value: Tensor, length: int) -> Tensor:
    if name not in _PER_TOKEN and name != "labels":
        return value
    missing = length - value.shape[1]
    if name.endswith("_attention_mask") or name == "cross_attention_mask":
        return torch.cat([value, value[:, -1:].expand(-1, missing, *value.shape[2:])], dim=1)
    padding = torch.full_like(value[:, -1:], IGNORED if name == "labels" else 0)
    return torch.cat([value, padding.expand(-1, missing, *value.shape[2:])], dim=1)
