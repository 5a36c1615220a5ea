"""Writes a tiny random checkpoint of an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers as hf
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from lcl_lab.benchmarks.architectures.recipes import UNBUILDABLE, recipe
from lcl_lab.benchmarks.architectures.tiny_config import tiny_config
from lcl_lab.benchmarks.architectures.tiny_processor import tiny_processor
from lcl_lab.benchmarks.architectures.weights import randomize

__all__ = ["CannotBuild", "build", "names"]


class CannotBuild(Exception):  # noqa: N818
    """An architecture has no checkpoint that reads images and text; the message is one line with the reason."""


def names() -> list[str]:
    """The image-text-to-text architectures of the installed transformers, sorted by model type."""
    return sorted(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES)


def build(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a tiny checkpoint with random weights, its processor and its chat template.

    The same name and seed give the same weights. The global random state is left as it was.

    Args:
        name: Model type of the architecture, one of `names()`.
        folder: Where to write the checkpoint.
        seed: Seed of the weights.

    Returns:
        The folder.

    Raises:
        CannotBuild: The architecture is unknown, reads no images or does not fit the general construction.
    """
    if name not in names():
        raise CannotBuild(f"transformers {hf.__version__} has no image-text-to-text architecture '{name}'")
    if name in UNBUILDABLE:
        raise CannotBuild(UNBUILDABLE[name])
    try:
        processor = tiny_processor(name, recipe(name))
        model = _tiny_model(name, processor, seed)
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    except Exception as error:  # an architecture newer than the recipes may fail anywhere
        raise CannotBuild(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    return folder


def _tiny_model(name: str, processor: Any, seed: int) -> Any:
    tokenizer = processor.tokenizer
    config = tiny_config(name, recipe(name), tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # buffers and the vectors that `randomize` only perturbs
        model = hf.AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    randomize(model, seed)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.bos_token_id = tokenizer.bos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model
