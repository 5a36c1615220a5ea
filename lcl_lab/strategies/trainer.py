"""Trains the embedded model on prompts whose right answer is known; the vision encoder stays frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcl_lab.models.encode import Encoder
from lcl_lab.models.mini import IMAGE_TOKENS, MiniForConditionalGeneration
from lcl_lab.prompts import Prompt
from lcl_lab.strategies.bank import Bank
from lcl_lab.strategies.log import TrainingLog

__all__ = ["Phase", "train"]

_IGNORED = -100


@dataclass(frozen=True)
class Phase:
    """`steps` steps on batches of prompts drawn by `draw`."""

    steps: int
    draw: Callable[[np.random.Generator], Sequence[Prompt]]


def train(
    model: MiniForConditionalGeneration,
    processor: Any,
    phases: Sequence[Phase],
    bank: Bank,
    learning_rate: float,
    seed: int,
    log: TrainingLog,
) -> None:
    """Train in place: AdamW, 100 steps of warm-up, then linearly to zero; loss on the final answer alone."""
    encode = Encoder(processor)
    rng = np.random.default_rng([seed, 3])
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    plan = [phase for phase in phases for _ in range(phase.steps)]
    model.train()
    for step in log.steps(len(plan)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * min(1.0, (step + 1) / 100) * (1 - step / len(plan))
        batch = _Batch.of(encode, plan[step].draw(rng), bank, rng)
        # The default attention kernel is several times slower backwards on a CPU.
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16):
            loss = batch.loss(model)
            optimizer.zero_grad()
            loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        log.loss(step, loss.item())
    model.eval()


@dataclass(frozen=True)
class _Batch:
    """B prompts padded on the right: ids, labels and mask (B, T), image features (N, I, D_vision)."""

    ids: Tensor
    labels: Tensor
    mask: Tensor
    features: Tensor

    @classmethod
    def of(cls, encode: Encoder, prompts: Sequence[Prompt], bank: Bank, rng: np.random.Generator) -> _Batch:
        rows, labels, features = [], [], []
        for prompt in prompts:
            encoded = encode(prompt)
            read = encoded.expanded(encode.placeholder, [IMAGE_TOKENS] * len(encoded.images))
            answer = encoded.candidates[0]
            rows.append(torch.tensor(read + answer))
            labels.append(torch.tensor([_IGNORED] * len(read) + answer))
            features.append(bank(encoded.images, rng))
        pad = nn.utils.rnn.pad_sequence
        mask = pad([torch.ones_like(row) for row in rows], batch_first=True)
        return cls(pad(rows, True), pad(labels, True, _IGNORED), mask, torch.cat(features))

    def loss(self, model: MiniForConditionalGeneration) -> Tensor:
        """Mean cross-entropy over the tokens of the answers."""
        seen = BaseModelOutputWithPooling(pooler_output=list(model.project(self.features)))
        output = model(
            input_ids=self.ids, attention_mask=self.mask, mm_encoder_outputs={"image": seen}, use_cache=False
        )
        logits = output.logits[:, :-1].float().flatten(0, 1)
        return nn.functional.cross_entropy(logits, self.labels[:, 1:].flatten(), ignore_index=_IGNORED)
