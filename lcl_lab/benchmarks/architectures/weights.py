"""Random weights large enough that every part of a prompt changes the answer."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["randomize"]

_NOISE = 0.1
_CONVOLUTION_GAIN = 2.0  # activations and pooling between convolutions take signal away
_CODEBOOK_STD = 0.05  # close to zero, so that images differ in the codes next to them


def randomize(model: nn.Module, seed: int) -> None:
    """Redraw all parameters so that signals neither vanish nor explode from layer to layer.

    Matrices are drawn with variance 1 / fan-in: the initialization that transformers uses (0.02) would hide images
    in such narrow models. Vectors keep their initial value, which may be meaningful (ones of a norm, decay rates of a
    state space model), plus noise. Gates that start closed are opened.

    Args:
        model: The model, changed in place.
        seed: Seed of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if "quantize.embedding" in name:
                parameter.copy_(_CODEBOOK_STD * noise)
            elif parameter.ndim > 1 and parameter.numel() > max(parameter.shape):
                parameter.copy_(_weight_std(parameter) * noise)
            elif "gate" in name and not parameter.any():
                parameter.copy_(1 + _NOISE * noise)
            else:
                parameter.add_(_NOISE * noise)


def _weight_std(weight: torch.Tensor) -> float:
    """The standard deviation that keeps the scale of what passes through a weight."""
    if weight.ndim == 3:  # the matrices of experts
        return weight.shape[-1] ** -0.5
    gain = _CONVOLUTION_GAIN if weight.ndim > 3 else 1.0
    return gain * weight[0].numel() ** -0.5
