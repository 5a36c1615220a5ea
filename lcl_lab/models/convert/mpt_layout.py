"""Maps configs and weights of MosaicML's MPT, which the hub has only with Python code, to the MPT of `transformers`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import MptConfig

from lcl_lab.errors import UserError

__all__ = ["MPT_TYPES", "mpt_config", "rename_mpt"]

MPT_TYPES = ("mpt", "mosaic_gpt")
"""Model types of MPT-7B and MPT-1B."""

_NAMES_OF_MPT_1B = {
    "attn_qk_ln": "qk_ln",
    "attn_clip_qkv": "clip_qkv",
    "softmax_scale": "softmax_scale",
    "alibi": "alibi",
    "alibi_bias_max": "alibi_bias_max",
    "prefix_lm": "prefix_lm",
}
_DEFAULTS_OF_MPT_1B = {"alibi": False, "no_bias": False}  # those of MPT in `transformers` differ
_SIZES = ("d_model", "n_heads", "n_layers", "max_seq_len", "vocab_size")
_RENAMED = (
    (r"\.ln_([12])\.", r".norm_\1."),
    (r"\.ln_f\.", ".norm_f."),
    (r"\.mlp\.mlp_(up|down)\.", r".ffn.\1_proj."),
    (r"\.attn\.q_ln\.", ".attn.Wqkv.norm_query."),
    (r"\.attn\.k_ln\.", ".attn.Wqkv.norm_key."),
)


def mpt_config(values: Mapping[str, Any], source: object) -> MptConfig:
    """The config of an MPT, if the MPT of `transformers` computes the same.

    Args:
        values: content of the config.json, of model type `mpt` or `mosaic_gpt`.
        source: where it was read, for the message.

    Raises:
        UserError: names the setting that `transformers` does not support.
    """
    settings = dict(values)
    if settings["model_type"] == "mosaic_gpt":
        settings = _DEFAULTS_OF_MPT_1B | settings
        settings["attn_config"] = {new: settings[old] for old, new in _NAMES_OF_MPT_1B.items() if old in settings}
        settings["expansion_ratio"] = settings.get("mlp_ratio", 4)
        if settings["n_heads"] & (settings["n_heads"] - 1):
            raise UserError(f"{source}: n_heads is {settings['n_heads']}; only powers of two are supported")
    attention = {"alibi": True, "alibi_bias_max": 8, "prefix_lm": False, **(settings.get("attn_config") or {})}
    required = {
        "alibi": (attention["alibi"], True),
        "alibi_bias_max": (attention["alibi_bias_max"], 8),
        "prefix_lm": (attention["prefix_lm"], False),
        "attn_type": (attention.get("attn_type", "multihead_attention"), "multihead_attention"),
        "clip_qkv": (attention.get("clip_qkv") if attention.get("qk_ln") else None, None),
        "expansion_ratio": (settings.get("expansion_ratio", 4), 4),
        "no_bias": (settings.get("no_bias", True), True),
        "logit_scale": (settings.get("logit_scale"), None),
    }
    for name, (value, supported) in required.items():
        if value != supported:
            raise UserError(f"{source}: {name} is {value!r}, but the MPT of transformers supports only {supported!r}")
    names = ("qk_ln", "clip_qkv", "softmax_scale")
    config = MptConfig(
        **{name: settings[name] for name in _SIZES if name in settings},
        attn_config={name: attention[name] for name in names if name in attention},
    )
    config.max_position_embeddings = config.max_seq_len  # where a prompt's length is checked
    return config


def rename_mpt(state: Mapping[str, Tensor], has_norms: bool) -> dict[str, Tensor]:
    """The weights of an MPT under their names in `transformers`.

    Args:
        state: weights of MPT-7B or MPT-1B.
        has_norms: whether queries and keys are normalized.
    """
    renamed: dict[str, Tensor] = {}
    for key, tensor in state.items():
        for pattern, name in _RENAMED:
            key = re.sub(pattern, name, key)
        renamed[key.replace(".Wqkv.weight", ".Wqkv.projection.weight") if has_norms else key] = tensor
    return renamed
