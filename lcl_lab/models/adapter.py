"""Models with the weights of an adapter; a separate module, since few studies use one and `peft` loads slowly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peft import PeftModel

__all__ = ["with_adapter"]


def with_adapter(model: Any, folder: Path, merge: bool) -> Any:
    """A model with an adapter.

    Args:
        model: a model of `transformers`.
        folder: the adapter's config and weights.
        merge: add the adapter to the model's weights, which quantized ones do not allow.
    """
    adapted = PeftModel.from_pretrained(model, folder)
    return adapted.merge_and_unload() if merge else adapted
