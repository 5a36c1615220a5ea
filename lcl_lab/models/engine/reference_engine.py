"""Evaluates whole prompts as `transformers` itself would: works for any model, and is the reference for faster engines.

Every prompt is computed once for its greedy answer and once per candidate, and its images are encoded each time.
Batches are padded on the left.
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
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.interface import NEW_TOKENS, Loglik
from lcl_lab.prompts import Prompt

__all__ = ["ReferenceEngine", "process_prompts"]

_Result = tuple[str, tuple[Loglik, ...]]
"""Greedy text, and the log-likelihood of each candidate."""


def process_prompts(
    processor: Any, encoder: PromptEncoder, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]
) -> BatchFeature:
    """A processor's tensors for whole prompts, padded on the left.

    Args:
        processor: a processor of `transformers`.
        encoder: renders prompts with its chat template.
        prompts: the prompts.
        image: returns an image of the prompts in RGB.
    """
    texts = [encoder.render(prompt) for prompt in prompts]
    images = [[image(ref) for ref in prompt.images] for prompt in prompts]
    if isinstance(processor, IdeficsProcessor):
        # It expects images between pieces of text, and adds the special token at the start of a prompt itself.
        inputs: dict[str, Any] = {"text": list(map(_interleave, texts, images))}
    else:
        inputs = {"text": texts, "images": images, "add_special_tokens": False}
    return processor(**inputs, padding=True, padding_side="left", return_tensors="pt")


def _interleave(text: str, images: Sequence[Image]) -> list[str | Image]:
    first, *rest = text.split("<image>")
    return [first, *(part for pair in zip(images, rest, strict=True) for part in pair if part)]


class ReferenceEngine:
    """Evaluates whole prompts in batches.

    Args:
        model: an image-text-to-text model of `transformers`.
        processor: its processor.
        encoder: a prompt encoder for the processor.
        batch_size: prompts in a batch; halved whenever memory runs out.

    Attributes:
        images_encoded: number of images that went through the vision encoder.
        tokens_computed: number of prompt tokens, padding included, that went through the model.
    """

    def __init__(self, model: Any, processor: Any, encoder: PromptEncoder, batch_size: int) -> None:
        self._model, self._processor, self._encoder, self.batch_size = model, processor, encoder, batch_size
        self.images_encoded = self.tokens_computed = 0

    def answer(
        self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, str, tuple[Loglik, ...]]]:
        """Yield the number, greedy text and candidates' log-likelihoods of every prompt, as they are computed.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        # Prompts with equally many images need little padding, and their images can be stacked.
        numbers = sorted(range(len(prompts)), key=lambda number: len(prompts[number].images))
        while numbers:
            count = len(prompts[numbers[0]].images)
            batch = [n for n in numbers[: self.batch_size] if len(prompts[n].images) == count]
            numbers = numbers[len(batch) :]

            def step(part: Sequence[int]) -> list[_Result]:
                return self._answer_batch([prompts[number] for number in part], image)

            for part, results in split_on_oom(batch, step, self):
                for number, (text, logliks) in zip(part, results, strict=True):
                    yield number, text, logliks

    @torch.inference_mode()
    def logliks(self, prompt: Prompt, image: Callable[[ImageRef], Image]) -> tuple[Loglik, ...]:
        """The log-likelihood of each candidate of one prompt."""
        return self._score_all([prompt], self._inputs([prompt], image))[0]

    @torch.inference_mode()
    def _answer_batch(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> list[_Result]:
        inputs = self._inputs(prompts, image)
        length = inputs["input_ids"].shape[1]
        generated = self._model.generate(**inputs, do_sample=False, max_new_tokens=NEW_TOKENS)[:, length:]
        texts = [self._encoder.text(row) for row in generated.tolist()]
        logliks = self._score_all(prompts, inputs)
        passes = 1 + len(prompts[0].candidates)
        self.tokens_computed += inputs["input_ids"].numel() * passes
        self.images_encoded += sum(len(prompt.images) for prompt in prompts) * passes
        return list(zip(texts, logliks, strict=True))

    def _score_all(self, prompts: Sequence[Prompt], inputs: Mapping[str, Tensor]) -> list[tuple[Loglik, ...]]:
        candidates = list(zip(*(self._encoder(prompt).candidates for prompt in prompts), strict=True))
        scores = [self._score(inputs, answers) for answers in candidates]
        return [tuple(score[row] for score in scores) for row in range(len(prompts))]

    def _inputs(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> dict[str, Tensor]:
        inputs = process_prompts(self._processor, self._encoder, prompts, image).to(self._model.device)
        inputs.pop("token_type_ids", None)
        dtype = self._model.dtype
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in inputs.items()}

    def _score(self, inputs: Mapping[str, Tensor], answers: Sequence[Sequence[int]]) -> list[Loglik]:
        """The log-likelihood of one answer per prompt."""
        longest = max(map(len, answers))
        ids = torch.tensor([list(a) + [0] * (longest - len(a)) for a in answers], device=self._model.device)
        extended = dict(inputs) | {
            "input_ids": torch.cat([inputs["input_ids"], ids], dim=1),
            "attention_mask": pad(inputs["attention_mask"], (0, longest), value=1),
        }
        if "mm_token_type_ids" in inputs:
            extended["mm_token_type_ids"] = pad(inputs["mm_token_type_ids"], (0, longest))
        if "image_attention_mask" in inputs:
            last = inputs["image_attention_mask"][:, -1:].expand(-1, longest, -1)
            extended["image_attention_mask"] = torch.cat([inputs["image_attention_mask"], last], dim=1)
        logits = self._model(**extended).logits[:, -longest - 1 : -1].float()
        tokens = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        return [Loglik(float(row[: len(a)].sum()), len(a)) for row, a in zip(tokens, answers, strict=True)]
