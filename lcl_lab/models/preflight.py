"""What a model needs for a prompt, found from its config and its processor before its weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import psutil
import torch
from PIL.Image import Image
from safetensors import safe_open
from transformers import AutoConfig, AutoProcessor

import lcl_lab.models.mini.architecture  # noqa: F401 - registers the embedded model's class
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.engine.prompt_encoder import Encoder
from lcl_lab.models.engine.reference_engine import read_whole
from lcl_lab.models.interface import NEW_TOKENS
from lcl_lab.prompts import Prompt

__all__ = ["Needs", "choose_dtype", "config_and_processor", "needs"]


@dataclass(frozen=True)
class Needs:
    """Bytes and tokens that a model needs for prompts like the one it was asked about."""

    name: str
    dtype: torch.dtype
    tokens: int
    context: int | None  # None where the config does not say
    weights: int
    prompt: int  # bytes of the keys and values of one whole prompt
    free: int

    def __str__(self) -> str:
        fit = f" ({self.context:,} fit)" if self.context else ""
        return (
            f"{self.name}: {_size(self.weights)} of weights in {str(self.dtype).removeprefix('torch.')}, "
            f"prompts of up to {self.tokens:,} tokens{fit} with {_size(self.prompt)} each; "
            f"{_size(self.free)} are free"
        )


def needs(checkpoint: Checkpoint, dtype: str, longest: Prompt, image: Callable[[ImageRef], Image]) -> Needs:
    """What the model needs for that prompt, the longest that it will be asked.

    Raises:
        UserError: it reads fewer images or tokens, the dtype does not work here, or there is not enough memory.
    """
    what = f"--model {checkpoint.name}"
    config, processor = config_and_processor(checkpoint)
    text: Any = config.get_text_config()
    shots = len(longest.images) - 1
    try:
        read = read_whole(processor, Encoder(processor), [longest], image)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{what}: its processor cannot read {shots + 1} images in one prompt: {reason}") from error
    tokens, context = int(read["input_ids"].shape[1]) + NEW_TOKENS, getattr(text, "max_position_embeddings", None)
    if context is not None and tokens > context:
        fits = max(0, (shots + 1) * context // tokens - 1) // 2 * 2
        raise UserError(
            f"{what}: {shots} shots are {tokens:,} tokens and its context is {context:,}; --shots {fits} would fit"
        )
    chosen = choose_dtype(dtype, config)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    found = Needs(
        checkpoint.name,
        chosen,
        tokens,
        context,
        _parameters(checkpoint) * chosen.itemsize,
        2 * text.num_hidden_layers * heads * width * chosen.itemsize * tokens,
        _free(),
    )
    if found.weights + found.prompt > found.free:
        raise UserError(f"{found}: not enough memory; take a smaller --dtype, fewer --shots or a larger machine")
    return found


def config_and_processor(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """What can be known of a checkpoint without its weights.

    Raises:
        UserError: `transformers` does not know such a model, or it has no processor for images.
    """
    try:
        found = AutoConfig.from_pretrained(checkpoint.path), AutoProcessor.from_pretrained(checkpoint.path)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"--model {checkpoint.name}: cannot load {checkpoint.path}: {reason}") from error
    if not hasattr(found[1], "image_token_id"):
        raise UserError(f"--model {checkpoint.name}: its processor has no image token")
    return found


def choose_dtype(dtype: str, config: Any) -> torch.dtype:
    """The dtype of that name; `auto` is single precision on a CPU, else the checkpoint's own.

    Raises:
        UserError: this machine cannot compute in it.
    """
    here = torch.cuda.is_available()
    if dtype == "auto":
        return (config.dtype or torch.float32) if here else torch.float32
    chosen: torch.dtype = getattr(torch, dtype)
    if chosen == torch.float16 and not here:
        raise UserError("--dtype float16: a CPU cannot compute in it; did you mean 'bfloat16'?")
    if chosen == torch.bfloat16 and here and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError("--dtype bfloat16: this GPU has none; did you mean 'float16'?")
    return chosen


def _parameters(checkpoint: Checkpoint) -> int:
    count = 0
    for file in checkpoint.path.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            count += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count


def _free() -> int:
    """Bytes of memory where the model will lie."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
