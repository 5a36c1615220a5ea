"""Any image-text-to-text model of `transformers` as a `Model`, with prefix sharing where the architecture allows it."""

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
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine
from lcl_lab.models.interface import Answer
from lcl_lab.models.mini.architecture import MiniForConditionalGeneration
from lcl_lab.models.preflight import choose_dtype, config_and_processor
from lcl_lab.prompts import Prompt

__all__ = ["TransformersModel", "load_transformers_model"]

_log = logging.getLogger(__name__)


def load_transformers_model(checkpoint: Checkpoint, batch_size: int = 32, dtype: str = "auto") -> TransformersModel:
    """Load a checkpoint of `transformers`, on a GPU if there is one.

    Image features are cached on disk, except for the mini models, which encode faster than a disk reads.

    Args:
        checkpoint: a folder with config, processor and weights.
        batch_size: prompts in a batch.
        dtype: precision of the weights, see `choose_dtype`.

    Raises:
        UserError: `transformers` cannot load it.
    """
    disable_progress_bar()
    config, processor = config_and_processor(checkpoint)
    torch_dtype = choose_dtype(dtype, config)
    try:
        model = AutoModelForImageTextToText.from_pretrained(checkpoint.path, dtype=torch_dtype)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = f"cannot load {checkpoint.path}: {str(error).strip().splitlines()[0]}"
        raise UserError(reason, option="model", value=checkpoint.name) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    is_mini = isinstance(model, MiniForConditionalGeneration)
    disk_cache = None if is_mini else FeatureDiskCache(f"{checkpoint.fingerprint}-{torch_dtype}", device)
    return TransformersModel(
        checkpoint.name, model.to(device), processor, checkpoint.fingerprint, batch_size, disk_cache
    )


class TransformersModel:
    """A `Model` around a `transformers` model and its processor.

    Pass all prompts that may share a prefix in one call of `answer`. The batch size changes log-likelihoods by
    rounding errors only.

    Args:
        name: the name in records.
        model: an image-text-to-text model.
        processor: its processor.
        fingerprint: identifies weights and processor.
        batch_size: prompts in a batch; halved whenever memory runs out.
        disk_cache: where image features are stored between runs; None to keep them in memory only.

    Attributes:
        engine: evaluates the prompts; its counters show how much was computed.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        processor: Any,
        fingerprint: str,
        batch_size: int = 32,
        disk_cache: FeatureDiskCache | None = None,
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self._model = model.eval()
        self._encoder = PromptEncoder(processor)
        self.engine = _choose_engine(name, model, processor, self._encoder, batch_size, disk_cache)

    @property
    def device(self) -> str:
        """The torch device of the weights."""
        return str(self._model.device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`. An answer is yielded as soon as all earlier ones are known."""
        answered: dict[int, Answer] = {}
        following, then = 0, time.perf_counter()
        results = (
            self.engine.answer([self._encoder(prompt) for prompt in prompts], image)
            if isinstance(self.engine, PrefixEngine)
            else self.engine.answer(prompts, image)
        )
        for number, text, logliks in results:
            now = time.perf_counter()
            answered[number] = Answer(text, logliks, now - then)
            then = now
            while following in answered:
                yield answered.pop(following)
                following += 1


def _choose_engine(
    name: str,
    model: Any,
    processor: Any,
    encoder: PromptEncoder,
    batch_size: int,
    disk_cache: FeatureDiskCache | None,
) -> PrefixEngine | ReferenceEngine:
    if can_share(model):
        try:
            return PrefixEngine(model, processor, encoder, batch_size, disk_cache)
        except PrefixSharingError:
            pass
    _log.warning("%s is evaluated without prefix sharing: its architecture does not support it", name)
    return ReferenceEngine(model, processor, encoder, batch_size)
