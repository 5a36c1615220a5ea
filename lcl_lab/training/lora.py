"""LoRA adapters on the language model of an image-text model, with `peft`; other trained parts are trained in full."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from lcl_lab.errors import UserError, nearest
from lcl_lab.training.train_config import LANGUAGE
from lcl_lab.training.trainable_parts import part_of, train_only

__all__ = ["add_adapters"]

_ATTENTION = re.compile(r"(^|\.)\w*(attn|attention)\w*\.\w+$")


def add_adapters(model: Any, rank: int, targets: Sequence[str] = (), trained: Sequence[str] = (LANGUAGE,)) -> PeftModel:
    """Add adapters to the language model and freeze everything else except the other trained parts.

    Args:
        model: an image-text-to-text model; it is changed in place.
        rank: rank of the adapters.
        targets: last components of the names of the linear layers that get adapters, such as ``"q_proj"``; by default
            all linear layers of the language model's attention.
        trained: what is trained, as in `train_only`; its language model is trained through the adapters.

    Returns:
        The model with adapters. `get_base_model()` is the model; `merge_and_unload()` adds the adapters to its weights.

    Raises:
        UserError: the language model has no such layer, or no part `trained`.
    """
    adapted = _adapted_layers(model, targets)
    train_only(model, trained)
    others = list(_trained_modules(model)) or None
    settings = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=adapted, modules_to_save=others)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `peft` reads attributes that `transformers` has renamed
        return get_peft_model(model, settings)


def _trained_modules(model: nn.Module, prefix: str = "") -> Iterator[str]:
    """Names of the largest modules outside of the language model that are trained as a whole.

    Only modules can be stored next to adapters: a parameter of the model itself, such as LLaVA-NeXT's `image_newline`,
    keeps its value.
    """
    for name, module in model.named_children():
        full = f"{prefix}{name}"
        parameters = list(module.parameters())
        trained = parameters and all(parameter.requires_grad for parameter in parameters) and part_of(full) != LANGUAGE
        if trained and not isinstance(module, nn.ModuleList | nn.ModuleDict):  # which `peft` cannot copy
            yield full
        else:
            yield from _trained_modules(module, f"{full}.")


def _adapted_layers(model: Any, targets: Sequence[str]) -> str:
    """A regular expression for the full names of the linear layers that get adapters.

    `peft` would store a list of names in any order, and the fingerprint of an adapter covers what it stores.
    """
    layers = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and part_of(name) == LANGUAGE and name != "lm_head"
    ]
    if not targets:
        return _pattern(name for name in layers if _ATTENTION.search(name))
    known = sorted({name.rpartition(".")[2] for name in layers})
    for target in targets:
        if target not in known:
            raise UserError(
                f"its language model has no such linear layer; {nearest(target, known)}",
                option="lora_targets",
                value=target,
            )
    return _pattern(name for name in layers if name.rpartition(".")[2] in targets)


def _pattern(names: Iterable[str]) -> str:
    return "|".join(sorted({re.sub(r"\d+", r"\\d+", re.escape(name)) for name in names}))
