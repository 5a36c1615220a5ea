"""Any image-text-to-text model of `transformers` as a `Model`: prefixes are shared where it can share them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from PIL.Image import Image
from transformers import AutoModelForImageTextToText
from transformers.utils.logging import disable_progress_bar

from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.prefix_engine import PrefixEngine, PrefixSharingError, can_share
from lcl_lab.models.engine.prompt_encoder import Encoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import Answer
from lcl_lab.models.mini.architecture import MiniForConditionalGeneration
from lcl_lab.models.preflight import choose_dtype, config_and_processor
from lcl_lab.prompts import Prompt

__all__ = ["HFModel", "load_hf"]

_log = logging.getLogger(__name__)


def load_hf(checkpoint: Checkpoint, batch_size: int, dtype: str) -> HFModel:
    """A checkpoint of `transformers`, on a GPU where there is one. Features of images are kept on disk but for the
    embedded models, which see faster than a disk reads.

    Raises:
        UserError: `transformers` cannot load it.
    """
    disable_progress_bar()
    config, processor = config_and_processor(checkpoint)
    chosen = choose_dtype(dtype, config)
    try:
        model = AutoModelForImageTextToText.from_pretrained(checkpoint.path, dtype=chosen)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--model {checkpoint.name}: cannot load {checkpoint.path}: {reason}") from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    small = isinstance(model, MiniForConditionalGeneration)
    store = None if small else FeatureDiskCache(f"{checkpoint.fingerprint}-{chosen}", device)
    return HFModel(checkpoint.name, model.to(device), processor, checkpoint.fingerprint, batch_size, store)


def _reader(
    name: str, model: Any, processor: Any, encoder: Encoder, batch_size: int, store: FeatureDiskCache | None
) -> PrefixEngine | ReferenceEngine:
    if can_share(model):
        try:
            return PrefixEngine(model, processor, encoder, batch_size, store)
        except PrefixSharingError:
            pass
    _log.warning("%s cannot share prefixes: every prompt is read in full", name)
    return ReferenceEngine(model, processor, encoder, batch_size)


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
        store: FeatureDiskCache | None = None,
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self._model = model.eval()
        self._encode = Encoder(processor)
        self.reader = _reader(name, model, processor, self._encode, batch_size, store)

    @property
    def device(self) -> str:
        return str(self._model.device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """One answer a prompt, in order; each is said as soon as those before it are known."""
        waiting: dict[int, Answer] = {}
        following, then = 0, time.perf_counter()
        found = (
            self.reader.answer([self._encode(prompt) for prompt in prompts], image)
            if isinstance(self.reader, PrefixEngine)
            else self.reader.answer(prompts, image)
        )
        for number, text, logliks in found:
            now = time.perf_counter()
            waiting[number] = Answer(text, logliks, now - then)
            then = now
            while following in waiting:
                yield waiting.pop(following)
                following += 1
