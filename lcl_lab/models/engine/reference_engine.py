"""Evaluates whole prompts as `transformers` itself would: works for any model, and is the reference for faster engines.

Every prompt is computed once for its greedy answer and once per candidate, and its images are encoded each time. A
candidate is scored by letting the model generate exactly its tokens, so that everything that a model keeps per token is
extended by the model's own rule. Batches are padded on the left.

B prompts, T tokens of an answer, V the size of the vocabulary.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from transformers import BatchFeature, GenerationConfig, IdeficsProcessor

from lcl_lab.concepts import ImageRef
from lcl_lab.models.engine.decoding import as_loglik
from lcl_lab.models.engine.oom import split_on_oom
from lcl_lab.models.engine.prompt_encoder import Generated, PromptEncoder
from lcl_lab.models.interface import Loglik
from lcl_lab.prompts import Prompt

__all__ = ["ReferenceEngine", "accepted_inputs", "process_prompts"]

_Result = tuple[Generated, tuple[Loglik, ...]]
"""Greedy answer, and the log-likelihood of each candidate."""


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
    if encoder.one_image:
        return processor(text=texts, images=[of_prompt[0] for of_prompt in images], padding=True, return_tensors="pt")
    if isinstance(processor, IdeficsProcessor):
        # It expects images between pieces of text, and adds the special token at the start of a prompt itself.
        inputs: dict[str, Any] = {"text": list(map(_interleave, texts, images))}
    else:
        inputs = {"text": texts, "images": images if any(images) else None, "add_special_tokens": False}
        if "mm_token_type_ids" in processor.model_input_names:
            inputs["return_mm_token_type_ids"] = True
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
        new_tokens: maximum number of tokens of a greedy answer; None for the limit of each prompt.
        use_cache: keep what was computed for earlier tokens; without it, each token takes a pass over the whole prompt.

    Attributes:
        images_encoded: number of images that went through the vision encoder.
        tokens_computed: number of prompt tokens, padding included, that went through the model.
    """

    def __init__(
        self,
        model: Any,
        processor: Any,
        encoder: PromptEncoder,
        batch_size: int,
        new_tokens: int | None,
        use_cache: bool = True,
    ) -> None:
        self._use_cache = use_cache
        self._model, self._processor, self._encoder, self.batch_size = model, processor, encoder, batch_size
        self._new_tokens = new_tokens
        self._accepted = accepted_inputs(model)
        self.images_encoded = self.tokens_computed = 0

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights."""
        dtype: torch.dtype = self._model.dtype
        return dtype

    def answer(
        self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]
    ) -> Iterator[tuple[int, Generated, tuple[Loglik, ...]]]:
        """Yield the number, greedy answer and candidates' log-likelihoods of every prompt, as they are computed.

        Raises:
            UserError: a single prompt needs more memory than there is.
        """
        # Prompts with equally many images need little padding, and their images can be stacked; a batch is scored one
        # candidate of each prompt at a time.
        counts = [(len(prompt.images), len(prompt.candidates)) for prompt in prompts]
        numbers = sorted(range(len(prompts)), key=counts.__getitem__)
        while numbers:
            batch = [n for n in numbers[: self.batch_size] if counts[n] == counts[numbers[0]]]
            numbers = numbers[len(batch) :]

            def step(part: Sequence[int]) -> list[_Result]:
                return self._answer_batch([prompts[number] for number in part], image)

            for part, results in split_on_oom(batch, step, self):
                for number, (generated, logliks) in zip(part, results, strict=True):
                    yield number, generated, logliks

    @torch.inference_mode()
    def logliks(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> list[tuple[Loglik, ...]]:
        """The log-likelihood of each candidate of some prompts, computed in one batch."""
        return self._score_all(prompts, self._inputs(prompts, image))

    @torch.inference_mode()
    def _answer_batch(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> list[_Result]:
        inputs = self._inputs(prompts, image)
        lengths = inputs["attention_mask"].sum(-1).tolist()
        encoded = [
            self._encoder.with_room(self._encoder(prompt), n) for prompt, n in zip(prompts, lengths, strict=True)
        ]
        limits = [prompt.answer_limit(self._new_tokens) for prompt in encoded]
        ids, _ = self._generate(inputs, max(limits))
        logliks = self._score_all(prompts, inputs)
        passes = 1 + len(prompts[0].candidates)
        self.tokens_computed += inputs["input_ids"].numel() * passes
        self.images_encoded += sum(len(prompt.images) for prompt in prompts) * passes
        answers = [
            replace(self._encoder.parse(row[:limit]), prompt_tokens=tokens)
            for row, limit, tokens in zip(ids.tolist(), limits, lengths, strict=True)
        ]
        return list(zip(answers, logliks, strict=True))

    def _score_all(self, prompts: Sequence[Prompt], inputs: Mapping[str, Any]) -> list[tuple[Loglik, ...]]:
        encoded = [self._encoder(prompt) for prompt in prompts]
        candidates = zip(*(one.candidates for one in encoded), strict=True)
        scores = [self._score(inputs, answers, encoded[0].closing) for answers in candidates]
        return [tuple(score[row] for score in scores) for row in range(len(prompts))]

    def _score(self, inputs: Mapping[str, Any], answers: Sequence[Sequence[int]], closing: int) -> list[Loglik]:
        """The log-likelihood of one answer per prompt, without its first `closing` tokens."""
        longest = max(map(len, answers))
        ids = torch.tensor([[*answer, *self._encoder.ends[:1] * (longest - len(answer))] for answer in answers])
        ids = ids.to(self._model.device)
        _, logits = self._generate(inputs, longest, ids)
        tokens = logits.float().log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        return [as_loglik(row[closing : len(answer)]) for row, answer in zip(tokens.tolist(), answers, strict=True)]

    def _inputs(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> dict[str, Any]:
        inputs = process_prompts(self._processor, self._encoder, prompts, image).to(self._model.device)
        dtype = self._model.dtype
        return {
            key: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
            for key, value in inputs.items()
            if key in self._accepted
        }

    def _generate(self, inputs: Mapping[str, Any], length: int, answers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Decode greedily, or decode given answers (B, T).

        Returns:
            The generated ids (B, T), and the logits of each of them (B, T, V).
        """
        config = GenerationConfig(
            max_new_tokens=length,
            use_cache=self._use_cache,
            do_sample=False,
            eos_token_id=list(self._encoder.ends),
            pad_token_id=self._encoder.ends[0],
            bos_token_id=self._model.generation_config.bos_token_id,
            decoder_start_token_id=self._model.generation_config.decoder_start_token_id,
            output_logits=True,
            return_dict_in_generate=True,
        )
        constraint = {} if answers is None else {"prefix_allowed_tokens_fn": _Constraint(answers.tolist())}
        with _replaced_generation_config(self._model, config):
            output = self._model.generate(**inputs, **constraint, generation_config=config)
        logits = torch.stack(output.logits, dim=1)
        ids = output.sequences[:, -logits.shape[1] :]
        # Logits that are not numbers obey no constraint; they are reported where log-likelihoods are used.
        if answers is not None and not torch.equal(ids, answers) and not logits.isnan().any():
            raise RuntimeError("the model's `generate` ignores constraints")
        return ids, logits


@contextmanager
def _replaced_generation_config(model: Any, config: GenerationConfig) -> Iterator[None]:
    """Leave out the checkpoint's own sampling, penalties and lengths; `generate` fills what is missing from them."""
    own, model.generation_config = model.generation_config, config
    try:
        yield
    finally:
        model.generation_config = own


class _Constraint:
    """Allows exactly one token at each step: that of the given answer of each prompt."""

    def __init__(self, answers: Sequence[Sequence[int]]) -> None:
        self._answers = answers
        self._start: int | None = None

    def __call__(self, row: int, ids: Tensor) -> list[int]:
        self._start = len(ids) if self._start is None else self._start
        return [self._answers[row][len(ids) - self._start]]


def accepted_inputs(model: Any) -> set[str]:
    """Names of the tensors that a model's `generate` accepts; processors return others as well."""
    names: set[str] = {"input_ids", "attention_mask"}
    inner = getattr(model, "model", model)
    readers = (
        model.forward,
        model.prepare_inputs_for_generation,
        inner.forward,
        getattr(inner, "get_rope_index", None),
    )
    for function in filter(None, readers):
        names |= set(inspect.signature(function).parameters)
    return names - {"labels", "kwargs", "self"}
