"""LoRA adapters on the decoder of a LLaVA, with `peft`; all weights of the projector are trained."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model

__all__ = ["add_adapters"]

_DECODER = r".*language_model.*\.(q|k|v|o)_proj"


def add_adapters(model: Any, rank: int) -> PeftModel:
    """Add adapters to the attention of a LLaVA's decoder and freeze everything else except the projector.

    Args:
        model: a LLaVA; it is changed in place.
        rank: rank of the adapters.

    Returns:
        The model with adapters. `get_base_model()` is the LLaVA; `merge_and_unload()` adds the adapters to its
        weights.
    """
    adapted = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_DECODER))
    model.model.multi_modal_projector.requires_grad_(True)
    return adapted
