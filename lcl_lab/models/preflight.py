"""Memory and context length that a model requires, estimated from its config and processor before loading weights."""

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
from transformers.quantizers import AutoHfQuantizer

import lcl_lab.models.flamingo.flamingo_model
import lcl_lab.models.flamingo.flamingo_processor
import lcl_lab.models.mini.architecture
import lcl_lab.models.shikra.shikra_image_processor  # noqa: F401 - these register their classes with transformers
from lcl_lab.concepts import ImageRef
from lcl_lab.errors import UserError, nearest
from lcl_lab.models import photo
from lcl_lab.models.architecture_limits import check_architecture
from lcl_lab.models.checkpoint import Checkpoint
from lcl_lab.models.engine.chat_template import TemplateError
from lcl_lab.models.engine.prompt_encoder import PromptEncoder
from lcl_lab.models.engine.reference_engine import process_prompts
from lcl_lab.models.photo.photo_vision_config import PhotoVisionConfig
from lcl_lab.prompts import Prompt

__all__ = [
    "Requirements",
    "check_quantization",
    "check_requirements",
    "choose_dtype",
    "config_and_processor",
    "fits_context",
    "needs_several_gpus",
    "one_line",
    "processor_settings",
]

_NOT_SETTINGS = {"data_format", "device", "disable_grouping", "input_data_format", "return_tensors"}
_FEWER_TOKENS = ("max_pixels", "do_image_splitting", "crop_to_patches", "max_patches", "do_pan_and_scan", "size")


@dataclass(frozen=True)
class Requirements:
    """What a model requires to answer a prompt, and the memory that is free.

    Attributes:
        name: the model's name.
        dtype: precision of the weights.
        tokens: tokens of the prompt and its answer.
        per_image: tokens of each of its images.
        setting: the setting of the processor that changes their number.
        context: tokens that the model accepts; None if its config does not say.
        weights: bytes of the weights.
        kv_cache: bytes of the keys and values of the prompt.
        free: bytes of free memory on the device.
    """

    name: str
    dtype: torch.dtype
    tokens: int
    per_image: int
    setting: str
    context: int | None
    weights: int
    kv_cache: int
    free: int

    def __str__(self) -> str:
        context = f" of {self.context:,}" if self.context else ""
        return (
            f"{self.name}: weights {_size(self.weights)} in {str(self.dtype).removeprefix('torch.')}, "
            f"longest prompt {self.tokens:,}{context} tokens, {self.per_image:,} of them per image "
            f"(fewer with --processor {self.setting}=…), with a KV cache of {_size(self.kv_cache)}, "
            f"free memory {_size(self.free)}"
        )


def check_requirements(
    checkpoint: Checkpoint,
    dtype: str,
    longest: Prompt,
    image: Callable[[ImageRef], Image],
    loaded: bool = False,
    processes: int = 1,
) -> Requirements:
    """Check that a model can answer a prompt on this machine.

    Args:
        checkpoint: a checkpoint of `transformers`.
        dtype: precision of the weights, see `choose_dtype`.
        longest: the longest prompt of the run.
        image: returns an image of the prompt in RGB.
        loaded: whether the weights are in memory already.
        processes: that load the model on this machine; they share the memory of a CPU, but no GPU.

    Raises:
        UserError: the prompt has too many images or tokens for the model, the dtype is not supported here, or there is
            not enough memory.
    """
    config, processor = config_and_processor(checkpoint)
    check_architecture(config, len(longest.images), checkpoint.name)
    text: Any = config.get_text_config(decoder=True)
    shots = len(longest.images) - 1
    try:
        encoder = PromptEncoder(processor, thinking=checkpoint.settings.thinking, config=config)
        length = _prompt_length(processor, encoder, longest, image)
    except TemplateError as error:
        raise UserError(str(error), option="model", value=checkpoint.name) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        reason = f"its processor does not accept {shots + 1} images in one prompt: {reason}"
        raise UserError(reason, option="model", value=checkpoint.name) from error
    answer = encoder.with_room(encoder(longest), length).answer_limit(checkpoint.settings.max_new_tokens)
    tokens, context = length + answer, encoder.context
    per_image = _tokens_per_image(length, encoder, longest)
    setting = next((name for name in _FEWER_TOKENS if name in processor_settings(processor)), "size")
    if context is not None and tokens > context:
        fitting = max(0, (shots + 1) * context // tokens - 1) // 2 * 2
        reason = f"{shots} shots take {tokens:,} tokens, but its context is {context:,}; {fitting} shots would fit"
        reason += f"; an image takes {per_image:,}, fewer with --processor {setting}=…"
        raise UserError(reason, option="model", value=checkpoint.name)
    check_quantization(config, checkpoint.name)
    torch_dtype = choose_dtype(dtype, config)
    requirements = Requirements(
        name=checkpoint.name,
        dtype=torch_dtype,
        tokens=tokens,
        per_image=per_image,
        setting=setting,
        context=context,
        weights=_parameters(checkpoint) * torch_dtype.itemsize,
        kv_cache=_kv_cache_values(text, checkpoint.name) * torch_dtype.itemsize * tokens,
        free=_free_memory(processes),
    )
    if (0 if loaded else requirements.weights) + requirements.kv_cache > requirements.free:
        raise UserError(f"not enough memory for {requirements}; use a smaller dtype, fewer shots or a larger machine")
    return requirements


def fits_context(checkpoint: Checkpoint, prompt: Prompt, image: Callable[[ImageRef], Image]) -> bool:
    """Whether a prompt and its answer fit into the context of a checkpoint of `transformers`; its weights are not read.

    Args:
        checkpoint: the checkpoint.
        prompt: the prompt.
        image: returns an image of the prompt in RGB.
    """
    config, processor = config_and_processor(checkpoint)
    encoder = PromptEncoder(processor, thinking=checkpoint.settings.thinking, config=config)
    if encoder.context is None:
        return True
    length = _prompt_length(processor, encoder, prompt, image)
    answer = encoder.with_room(encoder(prompt), length).answer_limit(checkpoint.settings.max_new_tokens)
    return length + answer <= encoder.context


def config_and_processor(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """The config and the processor of a checkpoint; its weights are not read.

    Raises:
        UserError: `transformers` does not know the architecture, or the processor does not accept images.
    """
    remote = {"trust_remote_code": checkpoint.settings.trust_remote_code, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(checkpoint.path, **remote)
        if isinstance(getattr(config, "vision_config", None), PhotoVisionConfig):
            photo.register_vision_tower()  # only here, since its library takes long to import
        check_architecture(config, 1, checkpoint.name)
        processor = AutoProcessor.from_pretrained(checkpoint.path, **remote, **checkpoint.settings.processor)
    except UserError:
        raise
    except Exception as error:  # damaged settings make `transformers` raise whatever they are used for
        reason = f"cannot load {checkpoint.path}: {one_line(error)}"
        if "trust_remote_code" in str(error):
            reason = "it contains Python code, which only --trust-remote-code runs"
        raise UserError(reason, option="model", value=checkpoint.name) from error
    known = processor_settings(processor)
    for setting in checkpoint.settings.processor:
        if known and setting not in known:
            raise UserError(f"{setting} is unknown; {nearest(setting, known)}", option="processor")
    return config, processor


def one_line(error: Exception) -> str:
    """What an exception of another package says, in one line that is not too long."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def check_quantization(config: Any, name: str) -> None:
    """Check that this machine has what a quantized checkpoint needs; others pass.

    Args:
        config: the checkpoint's config.
        name: the model's name, for the message.

    Raises:
        UserError: a package or a device is missing.
    """
    quantization = getattr(config, "quantization_config", None)
    if quantization is None:
        return
    try:
        AutoHfQuantizer.from_config(quantization, pre_quantized=True).validate_environment(device_map=None)
    except Exception as error:  # each quantizer raises its own
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"it is quantized, and cannot be loaded here: {reason}", option="model", value=name) from error


def needs_several_gpus(checkpoint: Checkpoint, dtype: torch.dtype) -> bool:
    """Whether the weights do not fit on the first GPU, and there are others."""
    if not torch.cuda.is_available() or torch.cuda.device_count() < 2:
        return False
    return _parameters(checkpoint) * dtype.itemsize > torch.cuda.mem_get_info(0)[0]


def processor_settings(processor: Any) -> list[str]:
    """The settings of images that a processor knows, sorted; empty if it does not say."""
    kind = type(getattr(processor, "image_processor", None))
    classes = getattr(getattr(kind, "valid_kwargs", None), "__mro__", ())
    names = {name for one in classes for name in getattr(one, "__annotations__", {})}
    return sorted(names - _NOT_SETTINGS)


def choose_dtype(dtype: str, config: Any) -> torch.dtype:
    """The torch dtype of a name.

    Args:
        dtype: "auto" or the name of a torch dtype; "auto" is float32 on a CPU, and the checkpoint's own on a GPU.
        config: the checkpoint's config.

    Raises:
        UserError: this machine cannot compute in it.
    """
    on_gpu = torch.cuda.is_available()
    if dtype == "auto":
        return (config.dtype or torch.float32) if on_gpu else torch.float32
    torch_dtype: torch.dtype = getattr(torch, dtype)
    if torch_dtype == torch.float16 and not on_gpu:
        raise UserError("not supported on a CPU; did you mean 'bfloat16'?", option="dtype", value=dtype)
    if torch_dtype == torch.bfloat16 and on_gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError("not supported by this GPU; did you mean 'float16'?", option="dtype", value=dtype)
    return torch_dtype


def _prompt_length(processor: Any, encoder: PromptEncoder, prompt: Prompt, image: Callable[[ImageRef], Image]) -> int:
    """The number of tokens of a prompt, those of its images included."""
    if not prompt.images:
        return len(encoder(prompt).prefix)
    return int(process_prompts(processor, encoder, [prompt], image)["input_ids"].shape[1])


def _tokens_per_image(length: int, encoder: PromptEncoder, prompt: Prompt) -> int:
    prefix = encoder(prompt).prefix
    text = len(prefix) - prefix.count(encoder.placeholder)
    return (length - text) // max(1, len(prompt.images))


def _kv_cache_values(text: Any, name: str) -> int:
    """Number of values that a KV cache keeps for each token, at most; layers may differ."""
    try:
        layers = getattr(text, "per_layer_config", None) or [text] * int(text.num_hidden_layers)
        return sum(map(_values_of_layer, layers))
    except (AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        reason = f"its config does not describe a language model: {one_line(error)}"
        raise UserError(reason, option="model", value=name) from error


def _values_of_layer(layer: Any) -> int:
    query_heads = _largest(getattr(layer, "num_attention_heads", 1))
    heads = _largest(getattr(layer, "num_key_value_heads", None) or query_heads)
    return 2 * heads * int(getattr(layer, "head_dim", None) or layer.hidden_size // query_heads)


def _largest(setting: int | list[int]) -> int:
    return max(setting) if isinstance(setting, list) else setting


def _parameters(checkpoint: Checkpoint) -> int:
    count = 0
    for file in checkpoint.path.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as tensors:
            count += sum(prod(tensors.get_slice(name).get_shape()) for name in tensors.keys())  # noqa: SIM118
    return count


def _free_memory(processes: int) -> int:
    """Bytes of free memory on the devices that the model will be loaded to, for each of some processes."""
    if torch.cuda.is_available():
        return sum(int(torch.cuda.mem_get_info(number)[0]) for number in range(torch.cuda.device_count()))
    return int(psutil.virtual_memory().available) // processes


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
