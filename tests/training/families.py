"""Tiny checkpoints of the families of image-text models that are trained most."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from lcl_lab.benchmarks.architectures import build

FAMILIES = ("qwen2_5_vl", "qwen3_vl", "gemma3", "internvl", "smolvlm", "llava_next", "mistral3", "mllama")


@cache
def folder_of(family: str) -> Path:
    """The folder of a tiny checkpoint, which is built once in a process."""
    return build(family, Path(mkdtemp(prefix=family)) / family)
