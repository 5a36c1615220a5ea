"""Answers prompts with an image-text-to-text model of `transformers`.

Every image is encoded once and its features are kept; a prompt is read once, and its candidates and
greedy answer go on from forks of that cache. Batches are padded on the left. A batch moves
log-likelihoods by rounding only.
"""

from __future__ import annotations

import copy
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from lcl_lab.concepts import ImageRef
from lcl_lab.models.encode import Encoded, Encoder
from lcl_lab.models.types import Answer, Loglik
from lcl_lab.prompts import Prompt

__all__ = ["HFModel"]

_NEW_TOKENS = 16  # a name; longer greedy answers are cut
_VISION_BATCH = 64
_FEATURE_BYTES = 1 << 30  # of image features kept


class HFModel:
    """A `Model` around a `transformers` model and its processor; `batch_size` prompts are read at a time."""

    def __init__(self, name: str, model: Any, processor: Any, fingerprint: str, batch_size: int = 32) -> None:
        self.name, self.fingerprint, self.batch_size = name, fingerprint, batch_size
        self._model = model.eval()
        self._processor = processor
        self._encode = Encoder(processor)
        self._features: OrderedDict[ImageRef, Tensor] = OrderedDict()
        self._kept_bytes = 0
        ends = model.generation_config.eos_token_id
        self._ends = torch.tensor(ends if isinstance(ends, list) else [ends], device=model.device)

    @property
    def device(self) -> str:
        return str(self._model.device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """One answer a prompt, in order; `image` is asked once for each image while its features are kept."""
        for start in range(0, len(prompts), self.batch_size):
            yield from self._answer_batch(prompts[start : start + self.batch_size], image)

    @torch.inference_mode()
    def _answer_batch(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> list[Answer]:
        started = time.perf_counter()
        encoded = [self._encode(prompt) for prompt in prompts]
        features = self._see([ref for e in encoded for ref in e.images], image)
        ids = [e.expanded(self._encode.placeholder, [len(features[ref]) for ref in e.images]) for e in encoded]
        reading = _Reading.start(self._model, ids, [features[ref] for e in encoded for ref in e.images])
        candidates = zip(*(e.candidates for e in encoded), strict=True)
        logliks = zip(*(reading.fork().score(list(answers)) for answers in candidates), strict=True)
        texts = self._greedy(reading, encoded)
        seconds = (time.perf_counter() - started) / len(prompts)
        return [Answer(text, tuple(scores), seconds) for text, scores in zip(texts, logliks, strict=True)]

    def _see(self, refs: Sequence[ImageRef], image: Callable[[ImageRef], Image]) -> dict[ImageRef, Tensor]:
        """Features (I, D) of each image, from what is kept or anew."""
        seen = {ref: self._features[ref] for ref in refs if ref in self._features}
        new = [ref for ref in dict.fromkeys(refs) if ref not in seen]
        for start in range(0, len(new), _VISION_BATCH):
            some = new[start : start + _VISION_BATCH]
            pixels = self._processor.image_processor([image(ref) for ref in some], return_tensors="pt")["pixel_values"]
            output = self._model.get_image_features(pixels.to(self._model.device, self._model.dtype))
            seen |= {ref: tensor.clone() for ref, tensor in zip(some, output.pooler_output, strict=True)}
        self._keep(seen)
        return seen

    def _keep(self, features: dict[ImageRef, Tensor]) -> None:
        for ref, tensor in features.items():
            self._kept_bytes += 0 if ref in self._features else tensor.nbytes
            self._features[ref] = tensor
            self._features.move_to_end(ref)
        while self._kept_bytes > _FEATURE_BYTES:
            _, oldest = self._features.popitem(last=False)
            self._kept_bytes -= oldest.nbytes

    def _greedy(self, reading: _Reading, encoded: Sequence[Encoded]) -> list[str]:
        going = reading.fork()
        rows: list[Tensor] = []
        ended = torch.zeros(len(encoded), dtype=torch.bool, device=self._model.device)
        for _ in range(_NEW_TOKENS):
            token = going.logits.argmax(-1)
            ended |= torch.isin(token, self._ends)
            rows.append(torch.where(ended, self._ends[0], token))
            if ended.all():
                break
            going.read(token[:, None])
        return [self._encode.text(row) for row in torch.stack(rows, dim=1).tolist()]


class _Reading:
    """A batch of B prompts that a model has read up to some token, and what it expects next.

    `logits` are those of the next token: (B, vocabulary).
    """

    def __init__(self, model: Any, cache: Any, mask: Tensor, logits: Tensor) -> None:
        self._model, self._cache, self._mask, self.logits = model, cache, mask, logits

    @classmethod
    def start(cls, model: Any, ids: Sequence[Sequence[int]], features: Sequence[Tensor]) -> _Reading:
        longest = max(map(len, ids))
        padded = torch.tensor([[0] * (longest - len(row)) + list(row) for row in ids], device=model.device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in ids], device=model.device)
        output = model(
            input_ids=padded,
            attention_mask=mask,
            position_ids=(mask.cumsum(-1) - 1).clamp(min=0),
            mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=list(features))},
            use_cache=True,
            logits_to_keep=1,
        )
        return cls(model, output.past_key_values, mask, output.logits[:, -1].float())

    def fork(self) -> _Reading:
        """An independent reading from here on; keys and values read so far are shared, not copied."""
        cache = copy.copy(self._cache)
        cache.layers = [copy.copy(layer) for layer in self._cache.layers]
        return _Reading(self._model, cache, self._mask, self.logits)

    def read(self, ids: Tensor) -> Tensor:
        """Read (B, T) more tokens; the logits after each: (B, T, vocabulary)."""
        positions = self._mask.sum(-1, keepdim=True) + torch.arange(ids.shape[1], device=ids.device)
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        output = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        )
        logits: Tensor = output.logits.float()
        self.logits = logits[:, -1]
        return logits

    def score(self, answers: Sequence[Sequence[int]]) -> list[Loglik]:
        """The log-likelihood of one answer a prompt. Leaves the reading at an undefined place."""
        longest = max(map(len, answers))
        ids = torch.tensor([list(a) + [0] * (longest - len(a)) for a in answers], device=self.logits.device)
        logits = self.logits[:, None]
        if longest > 1:
            logits = torch.cat([logits, self.read(ids[:, :-1])], dim=1)
        tokens = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
        return [Loglik(float(row[: len(a)].sum()), len(a)) for row, a in zip(tokens, answers, strict=True)]
