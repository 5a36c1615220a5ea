"""Any image-text-to-text model of `transformers` as a `Model`, with prefix sharing where the architecture allows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

import torch
import transformers
from PIL.Image import Image
from transformers import AutoModelForImageTextToText, CLIPVisionConfig
from transformers.utils.logging import disable_progress_bar

from lcl_lab import models
from lcl_lab.atomic import canonical_json
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.architecture_limits import check_architecture
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.engine.chat_template import TemplateError
from lcl_lab.models.engine.engine_choice import choose_engine
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.prompt_encoder import EncodedPrompt, Generated, PromptEncoder
from lcl_lab.models.engine.tree_engine import TreeEngine
from lcl_lab.models.interface import Answer, Loglik, ModelSettings, Status
from lcl_lab.models.mini.architecture import MiniConfig
from lcl_lab.models.preflight import (
    check_quantization,
    choose_dtype,
    config_and_processor,
    needs_several_gpus,
    one_line,
)
from lcl_lab.models.shikra.shikra_architecture import ShikraConfig
from lcl_lab.prompts import Prompt
from lcl_lab.source_code import source_digest

__all__ = ["TransformersModel", "load_transformers_model"]

_DEFAULTS = ModelSettings()


def load_transformers_model(checkpoint: Checkpoint, batch_size: int = 32, dtype: str = "auto") -> TransformersModel:
    """Load a checkpoint of `transformers`, on a GPU if there is one.

    Image features are cached on disk by the content of images, except for the mini models, which encode faster than
    that cache reads; those of the embedded worlds have a faster one, see `FeatureStore`.

    Args:
        checkpoint: a folder with config, processor and weights.
        batch_size: prompts in a batch.
        dtype: precision of the weights, see `choose_dtype`.

    Raises:
        UserError: `transformers` cannot load it.
    """
    disable_progress_bar()
    config, processor = config_and_processor(checkpoint)
    check_quantization(config, checkpoint.name)
    torch_dtype = choose_dtype(dtype, config)
    try:
        model = _load_weights(checkpoint, config, torch_dtype)
    except UserError:
        raise
    except Exception as error:  # damaged settings make `transformers` raise whatever they are used for
        reason = f"cannot load {checkpoint.path}: {one_line(error)}"
        raise UserError(reason, option="model", value=checkpoint.name) from error
    is_mini = isinstance(model.config, MiniConfig) and isinstance(model.config.vision_config, CLIPVisionConfig)
    disk_cache = None if is_mini else FeatureDiskCache(_feature_key(checkpoint, torch_dtype), str(model.device))
    try:
        return TransformersModel(
            checkpoint.name,
            model,
            processor,
            checkpoint.fingerprint,
            batch_size,
            disk_cache,
            checkpoint.settings,
        )
    except TemplateError as error:
        raise UserError(str(error), option="model", value=checkpoint.name) from error


def _load_weights(checkpoint: Checkpoint, config: Any, dtype: torch.dtype) -> Any:
    """The model on its device, or spread over several GPUs; an adapter is merged into the weights where possible."""
    quantized = getattr(config, "quantization_config", None) is not None
    spread = quantized or needs_several_gpus(checkpoint, dtype)
    model, loaded = AutoModelForImageTextToText.from_pretrained(
        checkpoint.path,
        output_loading_info=True,
        dtype="auto" if quantized else dtype,
        device_map="auto" if spread and torch.cuda.is_available() else None,
        trust_remote_code=checkpoint.settings.trust_remote_code,
        local_files_only=True,
    )
    missing = sorted(loaded["missing_keys"])
    if missing:
        reason = f"{len(missing)} tensors of its architecture are missing in its weights, such as {missing[0]}"
        raise UserError(reason, option="model", value=checkpoint.name)
    if checkpoint.adapter is not None:
        model = models.with_adapter(model, checkpoint.adapter, merge=not quantized)
    if spread:
        return model
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _feature_key(checkpoint: Checkpoint, dtype: torch.dtype) -> str:
    """What image features depend on: the model, its precision, its processor's settings, and the code that encodes."""
    code = source_digest("models/engine/*.py", "models/flamingo/*.py", "models/shikra/*.py")
    settings = canonical_json(checkpoint.settings.processor)
    return f"{checkpoint.fingerprint}-{dtype}-{settings}-{code}-{transformers.__version__}"


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
        settings: how it generates answers.

    Attributes:
        network: the model of `transformers`.
        processor: its processor.
        encoder: writes prompts as the model's tokens.
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
        settings: ModelSettings = _DEFAULTS,
    ) -> None:
        self.name, self.fingerprint = name, fingerprint
        self.network, self.processor = model.eval(), processor
        if isinstance(model.config, ShikraConfig):
            model.config.images = settings.images
        self.encoder = PromptEncoder(processor, _end_ids(name, model, processor), settings.thinking, model.config)
        self.engine = choose_engine(
            name, model, processor, self.encoder, batch_size, settings.max_new_tokens, disk_cache
        )

    @property
    def device(self) -> str:
        """The torch device of the weights."""
        return str(self.network.device)

    def answer(self, prompts: Sequence[Prompt], image: Callable[[ImageRef], Image]) -> Iterator[Answer]:
        """Answer prompts; see `Model.answer`. An answer is yielded as soon as all earlier ones are known.

        Raises:
            UserError: a prompt has more images than the architecture reads, or a log-likelihood is not a finite number.
        """
        check_architecture(self.network.config, max((len(prompt.images) for prompt in prompts), default=0), self.name)
        answered: dict[int, Answer] = {}
        following, then = 0, time.perf_counter()
        encoded = [self.encoder(prompt) for prompt in prompts]
        results = (
            self.engine.answer(encoded, image)
            if isinstance(self.engine, TreeEngine)
            else self.engine.answer(prompts, image)
        )
        for number, generated, logliks in results:
            now = time.perf_counter()
            self._check_finite(logliks)
            answered[number] = _answer(generated, self._with_texts(encoded[number], logliks), now - then)
            then = now
            while following in answered:
                yield answered.pop(following)
                following += 1

    def _with_texts(self, prompt: EncodedPrompt, logliks: Sequence[Loglik]) -> tuple[Loglik, ...]:
        """The log-likelihoods of a prompt's candidates with the texts of their tokens."""
        return tuple(
            replace(loglik, token_texts=self.encoder.token_texts(ids)[prompt.closing :])
            for ids, loglik in zip(prompt.candidates, logliks, strict=True)
        )

    def _check_finite(self, logliks: tuple[Loglik, ...]) -> None:
        if all(isfinite(loglik.total) for loglik in logliks):
            return
        dtype = str(self.network.dtype).removeprefix("torch.")
        weights = self.network.state_dict().items()
        damaged = next((name for name, weight in weights if not weight.float().isfinite().all()), None)
        remedy = "check the image_mean and image_std of its processor" if dtype == "float32" else "use --dtype float32"
        cause = f"its weight {damaged} is not finite" if damaged else f"it overflows in {dtype}; {remedy}"
        raise UserError(f"log-likelihoods are not finite: {cause}", option="model", value=self.name)


def _answer(generated: Generated, logliks: tuple[Loglik, ...], seconds: float) -> Answer:
    status: Status = "truncated" if generated.text is None else "ok"
    return Answer(
        text=generated.text or "",
        logliks=logliks,
        seconds=seconds,
        status=status,
        cut_off=generated.cut_off,
        thinking=generated.thinking,
        prompt_tokens=generated.prompt_tokens,
    )


def _end_ids(name: str, model: Any, processor: Any) -> list[int]:
    """Ids of the tokens that end an answer, according to the generation config."""
    end_ids = model.generation_config.eos_token_id
    ids = [] if end_ids is None else end_ids if isinstance(end_ids, list) else [end_ids]
    for id in ids:
        if not isinstance(id, int) or processor.tokenizer.convert_ids_to_tokens(max(id, 0)) is None or id < 0:
            reason = f"its generation config ends answers with eos_token_id {id!r}, which is no token"
            raise UserError(reason, option="model", value=name)
    return ids
