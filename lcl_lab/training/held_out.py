"""Accuracy on held-out episodes during training, by the evaluator that studies use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from lcl_lab.concepts import Dataset, ImageRef
from lcl_lab.episodes import draw_episode
from lcl_lab.evaluation import Condition, Design, EvalItem, evaluate
from lcl_lab.models import Answer, Loglik
from lcl_lab.prompts import Prompt
from lcl_lab.training.loss import IGNORED, BatchBuilder

__all__ = ["LossModel", "held_out_accuracy", "held_out_design", "held_out_loss"]

_SHOTS = 8
_BATCH = 25


class LossModel:
    """A model in training as a `Model`: its log-likelihoods are negative training losses; it generates no text.

    Args:
        loss: returns the loss (B,) of a micro-batch, as `AnswerLoss` does; a wrapper of `accelerate` is fine.
        builder: turns prompts into micro-batches and provides the images.
        device: where the model is.
        batch_size: prompts per batch.
    """

    name = "model in training"
    fingerprint = ""

    def __init__(
        self, loss: Callable[..., Tensor], builder: BatchBuilder, device: torch.device, batch_size: int = _BATCH
    ) -> None:
        self._loss, self._builder, self._device, self._batch_size = loss, builder, device, batch_size

    @property
    def device(self) -> str:
        """Where the model is."""
        return str(self._device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts in order with the log-likelihoods of their candidates.

        Args:
            prompts: the prompts.
            image: not used; the builder has the features of the images.
        """
        for start in range(0, len(prompts), self._batch_size):
            batch = prompts[start : start + self._batch_size]
            began = time.perf_counter()
            logliks: list[list[Loglik]] = [[] for _ in batch]
            for candidate in range(max(len(prompt.candidates) for prompt in batch)):
                rows = [row for row, prompt in enumerate(batch) if candidate < len(prompt.candidates)]
                for row, loglik in zip(rows, self._score([batch[row] for row in rows], candidate), strict=True):
                    logliks[row].append(loglik)
            seconds = (time.perf_counter() - began) / len(batch)
            yield from (Answer("", tuple(row), seconds) for row in logliks)

    def _score(self, prompts: Sequence[Prompt], candidate: int) -> list[Loglik]:
        rng = np.random.default_rng(0)  # nothing is drawn: held-out images are not augmented
        logliks: dict[int, Loglik] = {}
        for numbers, batch in self._builder.batches([(prompt, rng) for prompt in prompts], candidate):
            inputs = {key: value.to(self._device) for key, value in batch.inputs.items()}
            with torch.no_grad():
                losses = self._loss(**inputs).tolist()
            tokens = (inputs["labels"] != IGNORED).sum(1).tolist()
            logliks |= {n: Loglik(-loss, count) for n, loss, count in zip(numbers, losses, tokens, strict=True)}
        return [logliks[number] for number in range(len(prompts))]


def held_out_design(dataset: Dataset, queries: int, ways: int = 2) -> Design:
    """Episodes that show how far training is; the same for every strategy and seed.

    Args:
        dataset: concepts that the model is not trained on.
        queries: number of episodes.
        ways: number of concepts in an episode; each has the same number of the 8 shots, or one if there are more ways.
    """
    shots = max(1, _SHOTS // ways) * ways
    items = [EvalItem.from_episode(draw_episode(dataset, 0, query, shots, ways=ways)) for query in range(queries)]
    return Design([Condition({}, queries, items.__getitem__)], dataset.image)


def held_out_accuracy(model: LossModel, design: Design) -> float:
    """The share of episodes for which the correct name has the higher log-likelihood per token."""
    records = evaluate([model], design, progress=False)
    return float(records["correct_candidate"].mean())


def held_out_loss(model: LossModel, prompts: Sequence[Prompt]) -> float:
    """The mean loss on the answers of prompts, in nats per token."""
    logliks = [answer.logliks[0] for answer in model.answer(prompts, _no_image)]
    return -sum(loglik.total for loglik in logliks) / sum(loglik.tokens for loglik in logliks)


def _no_image(ref: ImageRef) -> Image:
    raise AssertionError(f"{ref} is opened, but the model in training has its features")
