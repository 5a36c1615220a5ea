"""Answers whole prompts as `transformers` itself would: for any model, and to hold faster ways against.

Every prompt is read once for its greedy answer and once for each candidate, and all its images are
looked at again each time. Batches are padded on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from torch.nn.functional import pad
from transformers import BatchFeature, IdeficsProcessor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.engine.prompt_encoder import Encoder
from lcl_lab.models.interface import NEW_TOKENS, Loglik
from lcl_lab.prompts import Prompt

__all__ = ["ReferenceEngine", "read_whole"]

_Said = tuple[str, tuple[Loglik, ...]]


def read_whole(
    processor: Any, encoder: Encoder, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]
) -> BatchFeature:
    """What a processor makes of whole prompts, padded on the left."""
    texts = [encoder.render(prompt) for prompt in prompts]
    images = [[image(ref) for ref in prompt.images] for prompt in prompts]
    if isinstance(processor, IdeficsProcessor):
        # It takes images between pieces of text, and begins every prompt by itself.
        given: dict[str, Any] = {"text": list(map(_interleaved, texts, images))}
    else:
        given = {"text": texts, "images": images, "add_special_tokens": False}
    return processor(**given, padding=True, padding_side="left", return_tensors="pt")


def _interleaved(text: str, images: Sequence[Image]) -> list[str | Image]:
    first, *rest = text.split("<image>")
    return [first, *(part for pair in zip(images, rest, strict=True) for part in pair if part)]


class ReferenceEngine:
    """Answers `batch_size` prompts at a time; it is halved whenever memory runs out.

    `looked` and `computed` count images and tokens that were given to the model in prompts.
    """

    def __init__(self, model: Any, processor: Any, encoder: Encoder, batch_size: int) -> None:
        self._model, self._processor, self._encoder, self.batch_size = model, processor, encoder, batch_size
        self.looked = self.computed = 0

    def answer(
        self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, str, tuple[Loglik, ...]]]:
        """The number, greedy text and log-likelihoods of every prompt.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        # Padding costs least, and images stack, among prompts of as many images.
        numbers = sorted(range(len(prompts)), key=lambda number: len(prompts[number].images))
        while numbers:
            count = len(prompts[numbers[0]].images)
            batch = [n for n in numbers[: self.batch_size] if len(prompts[n].images) == count]
            numbers = numbers[len(batch) :]

            def step(some: Sequence[int]) -> list[_Said]:
                return self._say([prompts[number] for number in some], image)

            for some, said in split_on_oom(batch, step, self):
                for number, (text, logliks) in zip(some, said, strict=True):
                    yield number, text, logliks

    @torch.inference_mode()
    def _say(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> list[_Said]:
        inputs = self._inputs(prompts, image)
        length = inputs["input_ids"].shape[1]
        said = self._model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS)[:, length:]
        texts = [self._encoder.text(row) for row in said.tolist()]
        logliks = self._score_all(prompts, inputs)
        asked = 1 + len(prompts[0].candidates)
        self.computed += inputs["input_ids"].numel() * asked
        self.looked += sum(len(prompt.images) for prompt in prompts) * asked
        return list(zip(texts, logliks, strict=True))

    @torch.inference_mode()
    def logliks(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> tuple[Loglik, ...]:
        """The log-likelihoods of one prompt's candidates."""
        return self._score_all([prompt], self._inputs([prompt], image))[0]

    def _score_all(self, prompts: Sequence[Prompt], inputs: Mapping[str, Tensor]) -> list[tuple[Loglik, ...]]:
        candidates = list(zip(*(self._encoder(prompt).candidates for prompt in prompts), strict=True))
        scores = [self._score(inputs, answers) for answers in candidates]
        return [tuple(score[row] for score in scores) for row in range(len(prompts))]

    def _inputs(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> dict[str, Tensor]:
        read = read_whole(self._processor, self._encoder, prompts, image).to(self._model.device)
        read.pop("token_type_ids", None)
        return {key: value.to(self._model.dtype) if value.is_floating_point() else value for key, value in read.items()}

    def _score(self, inputs: Mapping[str, Tensor], answers: Sequence[Sequence[int]]) -> list[Loglik]:
        """The log-likelihood of one answer a prompt, each after its whole prompt."""
        longest = max(map(len, answers))
        ids = torch.tensor([list(a) + [0] * (longest - len(a)) for a in answers], device=self._model.device)
        longer = dict(inputs) | {
            "input_ids": torch.cat([inputs["input_ids"], ids], dim=1),
            "attention_mask": pad(inputs["attention_mask"], (0, longest), value=1),
        }
        if "mm_token_type_ids" in inputs:
            longer["mm_token_type_ids"] = pad(inputs["mm_token_type_ids"], (0, longest))
        if "image_attention_mask" in inputs:
            last = inputs["image_attention_mask"][:, -1:].expand(-1, longest, -1)
            longer["image_attention_mask"] = torch.cat([inputs["image_attention_mask"], last], dim=1)
        logits = self._model(**longer).logits[:, -longest - 1 : -1].float()
        tokens = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        return [Loglik(float(row[: len(a)].sum()), len(a)) for row, a in zip(tokens, answers, strict=True)]
