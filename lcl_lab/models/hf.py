"""Any image-text-to-text model of `transformers` as a `Model`: prefixes are shared where it can share them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from PIL.Image import Image

from lcl_lab.concepts import ImageRef
from lcl_lab.models.encode import Encoder
from lcl_lab.models.features import FeatureStore
from lcl_lab.models.plain import PlainReader
from lcl_lab.models.shared import SharedReader, can_share
from lcl_lab.models.types import Answer
from lcl_lab.prompts import Prompt

__all__ = ["HFModel"]

_log = logging.getLogger(__name__)


class HFModel:
    """A `Model` around a `transformers` model and its processor; `batch_size` prompts are read at a time.

    Give all prompts that may share a beginning in one call. A batch moves log-likelihoods by rounding only.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        processor: Any,
        fingerprint: str,
        batch_size: int = 32,
        store: FeatureStore | None = None,
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self._model = model.eval()
        self._encode = Encoder(processor)
        self.shared = can_share(model)
        if self.shared:
            self.reader: SharedReader | PlainReader = SharedReader(model, processor, self._encode, batch_size, store)
        else:
            _log.warning("%s cannot share prefixes: every prompt is read in full", name)
            self.reader = PlainReader(model, processor, self._encode, batch_size)

    @property
    def device(self) -> str:
        return str(self._model.device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """One answer a prompt, in order; each is said as soon as those before it are known."""
        waiting: dict[int, Answer] = {}
        following, then = 0, time.perf_counter()
        found = (
            self.reader.answer([self._encode(prompt) for prompt in prompts], image)
            if isinstance(self.reader, SharedReader)
            else self.reader.answer(prompts, image)
        )
        for number, text, logliks in found:
            now = time.perf_counter()
            waiting[number] = Answer(text, logliks, now - then)
            then = now
            while following in waiting:
                yield waiting.pop(following)
                following += 1
