"""The names of weights in releases of OpenFlamingo and Otter, and in `FlamingoForConditionalGeneration`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from lcl_lab.errors import UserError
from lcl_lab.models.flamingo.language_model import LAYERS

__all__ = ["ReleasedWeights", "sort_weights"]

_WRAPPERS = re.compile(r"^module\.|_fsdp_wrapped_module\.|_checkpoint_wrapped_module\.")
_BUFFERS = re.compile(r"(rotary_emb\.inv_freq|attention\.bias|attention\.masked_bias|position_ids)$")
_CROSS_ATTENTION = (
    ("attn.norm.", "norm."),
    ("attn.to_q.", "query."),
    ("attn.to_kv.", "key_value."),
    ("attn.to_out.", "output."),
    ("attn_gate", "attention_gate"),
    ("ff_gate", "feed_forward_gate"),
    ("ff.", "feed_forward."),
)
_RESAMPLER = (
    (r"^frame_embs$", "frame_embedding"),
    (r"^(layers\.\d+\.)0\.", r"\1"),  # OpenFlamingo's layers are pairs of attention and feed-forward network
    (r"^(layers\.\d+\.)1\.", r"\1feed_forward."),
    (r"\.norm_media\.", ".norm_patches."),
    (r"\.to_q\.", ".query."),
    (r"\.to_kv\.", ".key_value."),
    (r"\.to_out\.", ".output."),
)


@dataclass
class ReleasedWeights:
    """The weights of a release, sorted by part and renamed.

    Attributes:
        vision: those of the image tower, if the release has them.
        resampler: those of the resampler.
        cross_attention: those of each gated cross-attention, by the number of the decoder layer behind it.
        language_model: those of the language model, under their names in the language model alone.
    """

    vision: dict[str, Tensor] = field(default_factory=dict)
    resampler: dict[str, Tensor] = field(default_factory=dict)
    cross_attention: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    language_model: dict[str, Tensor] = field(default_factory=dict)

    def cross_attn_every_n_layers(self, source: object) -> int:
        """The distance of the layers with cross-attention.

        Raises:
            UserError: they are not evenly spaced.
        """
        numbers = sorted(self.cross_attention)
        every = numbers[0] + 1
        if numbers != list(range(every - 1, numbers[-1] + 1, every)):
            raise UserError(f"{source}: cross-attention is at layers {numbers}, which are not evenly spaced")
        return every


def sort_weights(state: Mapping[str, Tensor], model_type: str, source: object) -> ReleasedWeights:
    """Sort and rename the weights of a release.

    Args:
        state: weights under their released names. A gated cross-attention may have two names, in the list of all of
            them and in its decoder layer.
        model_type: model type of the language model.
        source: where they were read, for the message.

    Raises:
        UserError: the resampler or the cross-attention are missing.
    """
    weights = ReleasedWeights()
    layers = re.escape(LAYERS[model_type])
    cross_attention = re.compile(rf"^(?:gated_cross_attn_layers\.(\d+)|{layers}\.(\d+)\.gated_cross_attn_layer)\.(.+)$")
    decoder_layer = re.compile(rf"^(?:old_decoder_blocks\.(\d+)|{layers}\.(\d+)\.decoder_layer)\.(.+)$")
    for key, tensor in state.items():
        part, _, name = _WRAPPERS.sub("", key).partition(".")
        if _BUFFERS.search(name):
            continue
        if part == "vision_encoder":
            weights.vision[name] = tensor
        elif part == "perceiver":
            weights.resampler[_rename_resampler(name)] = tensor
        elif part == "lang_encoder" and (match := cross_attention.match(name)):
            number = int(match[1] or match[2])
            weights.cross_attention.setdefault(number, {})[_rename_cross_attention(match[3])] = tensor
        elif part == "lang_encoder" and (match := decoder_layer.match(name)):
            weights.language_model[f"{LAYERS[model_type]}.{match[1] or match[2]}.{match[3]}"] = tensor
        elif part == "lang_encoder":
            weights.language_model[re.sub(r"^embed_out\.", "lm_head.", name)] = tensor
    for key, found in (
        ("perceiver.latents", "latents" in weights.resampler),
        ("gated_cross_attn_layer", weights.cross_attention),
    ):
        if not found:
            raise UserError(f"{source}: no {key} on a {model_type} model; it is not a release of OpenFlamingo or Otter")
    return weights


def _rename_cross_attention(name: str) -> str:
    for released, new in _CROSS_ATTENTION:
        if name.startswith(released):
            return new + name.removeprefix(released)
    return name


def _rename_resampler(name: str) -> str:
    for pattern, new in _RESAMPLER:
        name = re.sub(pattern, new, name)
    return name
