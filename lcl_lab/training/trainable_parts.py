"""The parts of an image-text model that a training changes: its language model, its projector, its vision encoder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from lcl_lab.errors import UserError, nearest_values
from lcl_lab.training.train_config import LANGUAGE, PARTS

__all__ = ["default_parts", "frozen_modules", "layer_classes", "part_of", "train_only"]

# The modules of `transformers` between an encoder and the language model; some are inside the encoder.
_PROJECTOR = re.compile(
    r"(^|\.)(multi_modal_projector|mm_projector|vision_projector|connector|projector|aligner|merger"
    r"|deepstack_merger_list|embed_vision|embed_audio|perceiver|perceiver_resampler|resampler|resampler_model|qformer|image_newline"
    r"|language_projection|vision_adapter|vision_language_adapter)(\.|$)"
)
_ENCODER = re.compile(
    r"(^|\.)(vision_tower|vision_model|vision_encoder|visual|image_encoder|vision_embed_tokens|vqmodel|audio_tower"
    r"|audio_model)(\.|$)"
)


def part_of(name: str) -> str:
    """The part that a parameter or module belongs to.

    Args:
        name: its name in the model, such as ``"model.vision_tower.embeddings.weight"``.
    """
    if _PROJECTOR.search(name):
        return "projector"
    return "vision" if _ENCODER.search(name) else LANGUAGE


def default_parts(model: nn.Module) -> tuple[str, ...]:
    """What is trained unless it is said: the language model, and the projector of models that have one."""
    parts = {part_of(name) for name, _ in model.named_parameters()}
    return tuple(part for part in (LANGUAGE, "projector") if part in parts)


def layer_classes(model: nn.Module) -> list[str]:
    """Names of the classes of layers that a device should hold as a whole, as `transformers` declares them."""
    modules = list(model.modules())
    declared = {name for module in modules for name in getattr(module, "_no_split_modules", None) or ()}
    return sorted(declared & {type(module).__name__ for module in modules})


def train_only(model: nn.Module, trained: Sequence[str]) -> None:
    """Freeze all parameters except those of some parts.

    Args:
        model: an image-text-to-text model; it is changed in place.
        trained: names from `train_config.PARTS`, or of modules and parameters, such as ``"model.visual.merger"`` or
            ``"*.cross_attention"``.

    Raises:
        UserError: the model has no such part or module.
    """
    names = [name for name, _ in model.named_parameters()]
    for wanted in trained:
        if not any(_belongs(name, wanted) for name in names):
            known = [*PARTS, *_modules(model)]
            raise UserError(
                f"the model has no such part; {nearest_values(wanted, known)}", option="train", value=wanted
            )
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(_belongs(name, wanted) for wanted in trained))


def frozen_modules(model: nn.Module) -> Iterator[nn.Module]:
    """The largest modules of a model without a parameter that is trained, such as a frozen vision encoder."""
    for module in model.children():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            yield module
        else:
            yield from frozen_modules(module)


def _belongs(parameter: str, wanted: str) -> bool:
    if wanted in PARTS:
        return part_of(parameter) == wanted
    return fnmatchcase(parameter, wanted) or fnmatchcase(parameter, f"{wanted}.*")


def _modules(model: Any) -> list[str]:
    return [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
