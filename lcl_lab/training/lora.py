"""Low-rank adapters on the decoder of a LLaVA, by `peft`; the projector is trained in full."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftModel, get_peft_model

__all__ = ["add_adapters"]

_DECODER = r".*language_model.*\.(q|k|v|o)_proj"


def add_adapters(model: Any, rank: int) -> PeftModel:
    """The model with adapters of that rank in the attention of its decoder; all else but the projector is frozen.

    `get_base_model()` is the LLaVA, changed in place; `merge_and_unload()` adds the adapters into its weights.
    """
    adapted = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=_DECODER))
    model.model.multi_modal_projector.requires_grad_(True)
    return adapted
