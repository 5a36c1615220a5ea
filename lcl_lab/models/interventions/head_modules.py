"""Finds the attention heads of a decoder, by the projection that reads their outputs.

In decoders of `transformers`, `o_proj` receives the outputs of all heads of a layer next to each other. So the part of
its input that belongs to a head is that head's output, whatever computed the attention.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForImageTextToText

from lcl_lab.errors import UserError
from lcl_lab.models.checkpoint import Checkpoint, needs_preflight
from lcl_lab.models.interface import Model
from lcl_lab.models.interventions.attention_head import Head
from lcl_lab.models.preflight import config_and_processor
from lcl_lab.models.transformers_model import TransformersModel

__all__ = ["head_slice", "heads_of", "heads_of_checkpoint", "layers_of", "output_projections", "require_network"]

_PROJECTION = re.compile(r"(?:^|\.)layers\.(\d+)\.self_attn\.o_proj$")


def heads_of(model: Model) -> list[Head]:
    """All heads of a loaded model whose outputs an `o_proj` reads, in order.

    Raises:
        UserError: the model has none, such as a model on a server.
    """
    network = require_network(model).network
    return _heads(network, model.name)


def heads_of_checkpoint(checkpoint: Checkpoint) -> list[Head]:
    """All heads of a model that is not loaded; see `heads_of`.

    Raises:
        UserError: the model has none.
    """
    if checkpoint.model is not None:
        return heads_of(checkpoint.model)
    if not needs_preflight(checkpoint):
        raise _no_heads(checkpoint.name)
    config, _ = config_and_processor(checkpoint)
    with torch.device("meta"):  # the layers without their weights
        network = AutoModelForImageTextToText.from_config(
            config, trust_remote_code=checkpoint.settings.trust_remote_code
        )
    return _heads(network, checkpoint.name)


def require_network(model: Model) -> TransformersModel:
    """The model, if it has a network whose heads can be changed.

    Raises:
        UserError: it has none.
    """
    if not isinstance(model, TransformersModel):
        raise _no_heads(model.name)
    return model


def output_projections(network: Any) -> Mapping[int, nn.Linear]:
    """The projection of the heads' outputs in each layer of the decoder that has heads."""
    found = {}
    for name, module in _decoder(network).named_modules():
        match = _PROJECTION.search(name)
        if match:
            found[int(match[1])] = module
    return found


def layers_of(network: Any) -> Mapping[int, nn.Module]:
    """The decoder's layers that have heads; each returns the residual stream after it."""
    layers = {}
    for name, module in _decoder(network).named_modules():
        match = re.search(r"(?:^|\.)layers\.(\d+)$", name)
        if match:
            layers[int(match[1])] = module
    return {number: layers[number] for number in output_projections(network)}


def head_slice(network: Any, head: Head) -> slice:
    """The part of an `o_proj`'s input that is the output of a head."""
    width = _width(network, head.layer)
    return slice(head.number * width, (head.number + 1) * width)


def _heads(network: Any, name: str) -> list[Head]:
    heads = [
        Head(layer, number)
        for layer, projection in output_projections(network).items()
        for number in range(projection.in_features // _width(network, layer))
    ]
    if not heads:
        raise UserError(
            f"no layer of its decoder has self_attn.o_proj ({network.config.model_type})", option="model", value=name
        )
    return heads


def _width(network: Any, layer: int) -> int:
    text = network.config.get_text_config(decoder=True)
    attention: Any = _attention(network, layer)
    width = getattr(attention, "head_dim", None) or getattr(text, "head_dim", None)
    return int(width or output_projections(network)[layer].in_features // text.num_attention_heads)


def _attention(network: Any, layer: int) -> nn.Module:
    modules = dict(_decoder(network).named_modules())
    return next(module for name, module in modules.items() if re.search(rf"(?:^|\.)layers\.{layer}\.self_attn$", name))


def _decoder(network: Any) -> nn.Module:
    """The decoder alone: vision encoders can have an `o_proj` as well."""
    decoder: nn.Module = network.get_decoder() or network
    return decoder


def _no_heads(name: str) -> UserError:
    return UserError("has no attention heads to change; give a checkpoint of transformers", option="model", value=name)
