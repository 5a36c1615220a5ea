"""Converts the image tower of an open_clip CLIP to `transformers`."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

__all__ = ["vision_tower_from_open_clip"]

_TOP = {
    "conv1.weight": "embeddings.patch_embedding.weight",
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_pre": "pre_layrnorm",
    "ln_post": "post_layernorm",
}
_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def vision_tower_from_open_clip(state: Mapping[str, torch.Tensor], config: CLIPVisionConfig) -> CLIPVisionModel:
    """A `CLIPVisionModel` with the weights of `visual.*` in an open_clip state dict.

    Hidden states are equal up to rounding errors. The projection to the shared embedding space is left out.

    Args:
        state: state dict of an open_clip CLIP.
        config: the config of the result.

    Raises:
        RuntimeError: the weights do not match the config.
    """
    tower = CLIPVisionModel(config)
    prefix = "vision_model." if any(k.startswith("vision_model.") for k in tower.state_dict()) else ""
    renamed: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        if key.startswith("visual.") and key != "visual.proj":
            renamed |= {prefix + name: tensor for name, tensor in _rename(key.removeprefix("visual."), value)}
    tower.load_state_dict(renamed)
    return tower.eval()


def _rename(key: str, value: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    if not key.startswith("transformer.resblocks."):
        stem = key if key in _TOP else key.rpartition(".")[0]
        return [(_TOP[stem] + key[len(stem) :], value)]
    _, _, number, rest = key.split(".", 3)
    layer = f"encoder.layers.{number}."
    if rest.startswith("attn.in_proj_"):
        kind = rest.removeprefix("attn.in_proj_")
        parts = zip(("q_proj", "k_proj", "v_proj"), value.chunk(3), strict=True)
        return [(f"{layer}self_attn.{name}.{kind}", part) for name, part in parts]
    stem, _, kind = rest.rpartition(".")
    return [(f"{layer}{_BLOCK[stem]}.{kind}", value)]
