"""Chooses how a model is evaluated: the fastest way that reproduces the log-likelihoods of single whole prompts."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import torch
from PIL.Image import Image, fromarray

from lcl_lab.concepts import ImageRef
from lcl_lab.control_characters import escape_controls
from lcl_lab.errors import UserError
from lcl_lab.models.engine.cross_attention_engine import CROSS_ATTENTION_ENCODERS, CrossAttentionEngine
from lcl_lab.models.engine.feature_disk_cache import FeatureDiskCache
from lcl_lab.models.engine.fork_engine import ForkEngine
from lcl_lab.models.engine.kv_cache import is_plain_kv_cache
from lcl_lab.models.engine.prefix_engine import PrefixEngine
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import ReferenceEngine, process_prompts
from lcl_lab.models.engine.tree_engine import TreeEngine
from lcl_lab.models.interface import Loglik
from lcl_lab.prompts import Prompt, Turn

__all__ = ["TOLERANCE", "choose_engine", "noise", "trial_prompts"]

_log = logging.getLogger(__name__)
TOLERANCE = 1e-4
"""Nats per token by which two ways of computing a log-likelihood in single precision may differ."""
_TOLERANCE = {torch.float32: TOLERANCE}
_LOW_PRECISION_TOLERANCE = 0.1  # in other dtypes
_MOST_SHOTS = 16  # of a trial prompt


def choose_engine(
    name: str,
    model: Any,
    processor: Any,
    encoder: PromptEncoder,
    batch_size: int,
    new_tokens: int | None,
    disk_cache: FeatureDiskCache | None = None,
) -> TreeEngine[Any] | ReferenceEngine:
    """Try the engines on a few prompts of noise, the fastest first, and take the first that is exact.

    Args:
        name: the model's name, for the messages.
        model: an image-text-to-text model of `transformers`.
        processor: its processor.
        encoder: a prompt encoder for the processor.
        batch_size: prompts in a batch.
        new_tokens: maximum number of tokens of a greedy answer; None for the limit of each prompt.
        disk_cache: where image features are stored between runs; None to keep them in memory only.

    Raises:
        UserError: the model cannot be evaluated at all.
    """
    single = ReferenceEngine(model, processor, encoder, 1, new_tokens)
    prompts = trial_prompts(model, processor, encoder)
    try:
        expected = [single.logliks([prompt], noise)[0] for prompt in prompts]
    except UserError:
        raise
    except Exception as error:  # an architecture may fail in any way
        reason = f"its architecture, {model.config.model_type}, cannot be evaluated: {type(error).__name__}: {error}"
        raise UserError(" ".join(reason.split())[:300], option="model", value=name) from error
    attention = _attention_of(model)
    for build in _shared_engines(model, encoder):
        try:
            engine = build(model, processor, encoder, batch_size, new_tokens, disk_cache)
            logliks_of = {number: logliks for number, _, logliks in engine.answer(list(map(encoder, prompts)), noise)}
            exact = _agree(expected, [logliks_of[number] for number in range(len(prompts))], model.dtype)
        except Exception as error:
            _log.debug("%s: %s failed its trial", name, build, exc_info=error)
            exact = False
        if exact:
            engine.reset_counters()
            return engine
        model.set_attn_implementation(attention)
    _log.warning("%s is evaluated without prefix sharing: its architecture does not support it", escape_controls(name))
    return _reference_engine(name, model, processor, encoder, batch_size, new_tokens, prompts, expected)


def _reference_engine(
    name: str,
    model: Any,
    processor: Any,
    encoder: PromptEncoder,
    batch_size: int,
    new_tokens: int | None,
    prompts: Sequence[Prompt],
    expected: Sequence[tuple[Loglik, ...]],
) -> ReferenceEngine:
    """Whole prompts, without what changes the log-likelihoods of this model: its cache, or batches."""
    uncached = ReferenceEngine(model, processor, encoder, 1, new_tokens, use_cache=False)
    use_cache = _reproduces(uncached, prompts[:1], expected[:1], share=0.1)
    if not use_cache:
        _log.warning("%s is evaluated without its cache, which changes its log-likelihoods", escape_controls(name))
        expected = [uncached.logliks([prompt], noise)[0] for prompt in prompts]
    together = ReferenceEngine(model, processor, encoder, 2, new_tokens, use_cache)
    if batch_size > 1 and not _reproduces(together, prompts[-2:], expected[-2:]):  # with equally many images
        _log.warning(
            "%s is evaluated one prompt at a time: in a batch its log-likelihoods change", escape_controls(name)
        )
        batch_size = 1
    return ReferenceEngine(model, processor, encoder, batch_size, new_tokens, use_cache)


def _reproduces(
    engine: ReferenceEngine, prompts: Sequence[Prompt], expected: Sequence[tuple[Loglik, ...]], share: float = 1.0
) -> bool:
    """Whether an engine computes expected log-likelihoods in one batch, within a share of the tolerance."""
    try:
        return _agree(expected, engine.logliks(prompts, noise), engine.dtype, share)
    except Exception as error:
        _log.debug("a trial of whole prompts failed", exc_info=error)
        return False


def _shared_engines(model: Any, encoder: PromptEncoder) -> Iterator[Callable[..., TreeEngine[Any]]]:
    """The engines that an architecture may support, the fastest first."""
    inner: Any = getattr(model, "model", model)
    if encoder.one_image or encoder.has_decoder:
        return
    if model.config.model_type in CROSS_ATTENTION_ENCODERS:
        yield CrossAttentionEngine
        return
    if not hasattr(inner, "get_image_features"):
        return
    if "mm_encoder_outputs" not in inspect.signature(inner.forward).parameters:
        return
    try:
        cache = _cache_of_one_token(model)
    except Exception:  # without an image, an architecture may refuse
        return
    if is_plain_kv_cache(cache):
        if model.device.type == "cpu":
            yield partial(PrefixEngine, layers=len(cache.layers), attention="merged")
        yield partial(PrefixEngine, layers=len(cache.layers), attention="joined")
    yield ForkEngine


def _attention_of(model: Any) -> dict[str, str]:
    """The attention implementations of a model and its parts, as `set_attn_implementation` takes them."""
    implementations = {"": model.config._attn_implementation}
    parts = {name: getattr(model.config, name, None) for name in getattr(model.config, "sub_configs", {})}
    implementations |= {name: part._attn_implementation for name, part in parts.items() if part is not None}
    return {name: implementation for name, implementation in implementations.items() if implementation is not None}


def _cache_of_one_token(model: Any) -> Any:
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with torch.inference_mode():
        return model(input_ids=token, use_cache=True).past_key_values


def _agree(
    one: Sequence[Sequence[Loglik]], other: Sequence[Sequence[Loglik]], dtype: torch.dtype, share: float = 1.0
) -> bool:
    """Whether log-likelihoods agree within a share of the tolerance."""
    tolerance = share * _TOLERANCE.get(dtype, _LOW_PRECISION_TOLERANCE)
    pairs = [pair for a, b in zip(one, other, strict=True) for pair in zip(a, b, strict=True)]
    return all(abs(a.per_token - b.per_token) <= tolerance for a, b in pairs)


def trial_prompts(model: Any, processor: Any, encoder: PromptEncoder) -> list[Prompt]:
    """Prompts on which ways of computing log-likelihoods are compared: without shots, and two with the same shots.

    Args:
        model: an image-text-to-text model of `transformers`.
        processor: its processor.
        encoder: a prompt encoder for the processor.
    """
    return _trial_prompts(_trial_shots(model, processor, encoder))


def noise(ref: ImageRef) -> Image:
    """The image of a trial prompt."""
    generator = np.random.default_rng(ref.number)
    return fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8))


def _trial_shots(model: Any, processor: Any, encoder: PromptEncoder) -> int:
    """Shots that fill the model's sliding window, or two."""
    if encoder.one_image:
        return 0
    text = model.config.get_text_config()
    windows = [getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size")]
    window = min((int(size) for size in windows if size), default=0)
    tokens = process_prompts(processor, encoder, _trial_prompts(2)[-1:], noise)["input_ids"].shape[1]
    return min(_MOST_SHOTS, max(2, 3 * window // tokens + 1))


def _trial_prompts(shots: int) -> list[Prompt]:
    """One prompt without shots, and two queries after the same shots."""
    images = [ImageRef("trial", "noise", number) for number in range(shots + 2)]
    labelled = zip(images[2:], cycle(("wug", "dax")), strict=False)
    support = [turn for ref, name in labelled for turn in (Turn("user", (ref,)), Turn("assistant", (name,)))]
    queries = [([], images[0]), (support, images[0]), (support, images[1])]
    return [Prompt((*turns, Turn("user", ("What is this?", query))), ("dax", "wug")) for turns, query in queries]
